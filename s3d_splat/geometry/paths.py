"""Camera paths that are made from the cameras of a capture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.types import Camera


def orbit(cameras: Sequence[Camera], count: int) -> tuple[Camera, ...]:
    """`count` cameras on a circle that look at what the given ones look at, with the first one's intrinsics.

    The circle lies around the mean camera position, as wide as the cameras are spread (median distance), level with respect
    to the mean up direction; all look at the point that is nearest to the given optical axes in the least-squares sense.
    """
    poses = torch.stack([camera.T_world_camera for camera in cameras]).double()
    centres, forward = poses[:, :3, 3], poses[:, :3, 2]
    up = normalize(-poses[:, :3, 1].mean(0), dim=0)
    middle = centres.mean(0)
    radius = (centres - middle).norm(dim=1).median()
    focus = nearest_to_axes(centres, forward)
    helper = torch.eye(3, dtype=torch.float64)[int(up.abs().argmin())]
    east = normalize(torch.linalg.cross(up, helper), dim=0)
    north = torch.linalg.cross(up, east)
    path = []
    for step in range(count):
        angle = 2.0 * math.pi * step / count
        position = middle + radius * (math.cos(angle) * east + math.sin(angle) * north)
        pose = look_at(position, focus, up).to(cameras[0].T_world_camera)
        path.append(dataclasses.replace(cameras[0], T_world_camera=pose))
    return tuple(path)


def nearest_to_axes(centres: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "3"]:
    """The point with the least sum of squared distances to the lines; near the centres' mean where all are parallel."""
    unit = normalize(directions, dim=1)
    across = torch.eye(3).to(unit) - unit[:, :, None] * unit[:, None]
    mean = centres.mean(0)
    # A weak pull to one unit in front of the mean centre decides where the lines do not (all parallel).
    weight = 1e-6 * len(centres)
    anchor = mean + unit.mean(0)
    matrix = across.sum(0) + weight * torch.eye(3).to(unit)
    return torch.linalg.solve(matrix, (across @ centres[:, :, None]).sum(0)[:, 0] + weight * anchor)


def look_at(position: Float[Tensor, "3"], target: Float[Tensor, "3"], up: Float[Tensor, "3"]) -> Float[Tensor, "4 4"]:
    """`T_world_camera` (OpenCV axes) of a camera at `position` that sees `target` in its middle, with `up` upwards."""
    forward = normalize(target - position, dim=0)
    right = torch.linalg.cross(forward, up)
    if float(right.norm()) < 1e-6:  # it looks straight up or down: any direction will do as the horizon
        right = torch.linalg.cross(forward, torch.eye(3).to(up)[int(forward.abs().argmin())])
    right = normalize(right, dim=0)
    pose = torch.eye(4).to(position)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, torch.linalg.cross(forward, right), forward, position
    return pose
