"""Which anchors a camera can see, before anything is decoded."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.native.library import runs_native
from s3d_splat.native.visibility import spheres_inside
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Camera

SIGMAS = 3.0
SLACK = 1.5  # the heads may still make a Gaussian wider than its base


@torch.no_grad()
def anchors_in_view(field: AnchorField, camera: Camera) -> Int[Tensor, " v"]:
    """Rows of the anchors whose children may reach into the image: a sphere around each against the view pyramid."""
    planes = _planes(camera)
    positions, log_extent, offsets, log_scales = field.positions, field.log_extent, field.offsets, field.log_scales
    if runs_native(positions):
        return spheres_inside(positions, log_extent, offsets, log_scales, SIGMAS * SLACK, planes).nonzero()[:, 0]
    reach = (offsets.abs().amax(1) * log_extent.exp()).norm(dim=-1)
    radius = reach + SIGMAS * SLACK * log_scales.flatten(1).amax(1).exp()
    sides = planes.to(positions)
    outside = positions @ sides[:, :3].T + sides[:, 3]
    return (outside < radius[:, None]).all(1).nonzero()[:, 0]


def _planes(camera: Camera) -> Float[Tensor, "5 4"]:
    """Planes of the view pyramid in the world, float64: their product with (x, y, z, 1) is how far a point is outside."""
    world_to_camera = torch.linalg.inv(camera.T_world_camera.detach().to("cpu", torch.float64))
    normals = [(0.0, 0.0, -1.0)]  # behind the camera
    for axis, focal, low, high in (
        (0, camera.fx, camera.cx, camera.width - camera.cx),
        (1, camera.fy, camera.cy, camera.height - camera.cy),
    ):
        for sign, edge in ((1.0, high), (-1.0, low)):
            length = (focal**2 + edge**2) ** 0.5
            across = sign * focal / length
            normals.append((across, 0.0, -edge / length) if axis == 0 else (0.0, across, -edge / length))
    return torch.tensor(normals, dtype=torch.float64) @ world_to_camera[:3]
