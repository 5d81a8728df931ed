"""Which anchors a camera can see, before anything is decoded."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Camera

SIGMAS = 3.0
SLACK = 1.5  # the heads may still make a Gaussian wider than its base


@torch.no_grad()
def anchors_in_view(field: AnchorField, camera: Camera) -> Int[Tensor, " v"]:
    """Rows of the anchors whose children may reach into the image: a sphere around each against the view pyramid."""
    reach = (field.offsets.abs().amax(1) * field.log_extent.exp()).norm(dim=-1)
    radius = reach + SIGMAS * SLACK * field.log_scales.flatten(1).amax(1).exp()
    world_to_camera = torch.linalg.inv(camera.T_world_camera.double()).to(field.positions)
    x, y, z = (field.positions @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]).unbind(-1)
    inside = z > -radius
    for coordinate, focal, low, high in (
        (x, camera.fx, camera.cx, camera.width - camera.cx),
        (y, camera.fy, camera.cy, camera.height - camera.cy),
    ):
        for sign, edge in ((1.0, high), (-1.0, low)):
            # Signed distance to the side plane through the camera centre whose normal points out of the pyramid.
            length = (focal**2 + edge**2) ** 0.5
            inside &= (sign * coordinate * focal - z * edge) / length < radius
    return inside.nonzero()[:, 0]
