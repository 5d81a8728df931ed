"""What training views show of an object that is about to go, and of what stands round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.editing.rows import shapes_of
from s3d_splat.editing.values import EditableScene, Surroundings
from s3d_splat.geometry.cameras import is_in_view, ray_directions, scaled
from s3d_splat.types import Camera

_LONGER_SIDE = 320  # pixels of the views that are looked at
_MOST_VIEWS = 32
_LEAST_ALPHA = 0.5


@dataclass(frozen=True)
class Sight:
    """A view before the removal, small."""

    camera: Camera
    point: Float[Tensor, "h w 3"]  # where each pixel's surface is in the world, metres
    shown: Int[Tensor, "h w"]  # the object of each pixel, 0 = none; -1 where nothing is
    gone: Bool[Tensor, "h w"]  # the pixels that show what is removed


def look(scene: EditableScene, ids: tuple[int, ...], box: Float[Tensor, "2 3"], around: Surroundings) -> list[Sight]:
    """Views that show some of the objects, at most 32 spread evenly over those whose image the box (metres) touches."""
    cameras = _facing(box, around.cameras, scene.field.positions)
    labels = scene.instances.child_instance.reshape(-1).to(scene.field.positions.device)
    shapes, sights = shapes_of(scene.field), []
    for camera in cameras:
        gaussians = shapes(camera)
        winner, _ = around.rasterizer.vote(gaussians, camera, labels)
        gone = torch.isin(winner, winner.new_tensor(ids))
        if not gone.any():
            continue
        output = around.rasterizer.render(gaussians, camera)
        seen = output.alpha >= _LEAST_ALPHA
        centre = camera.T_world_camera[:3, 3]
        point = centre + output.depth[..., None] * ray_directions(camera)
        sights.append(Sight(camera, point, torch.where(seen, winner, -1), gone & seen))
    return sights


def _facing(box: Float[Tensor, "2 3"], cameras: Sequence[Camera], like: Tensor) -> list[Camera]:
    """Small cameras with some point of a grid in the box in view."""
    steps = torch.linspace(0, 1, 4).to(box)
    grid = torch.cartesian_prod(steps, steps, steps)
    points = (box[0] + grid * (box[1] - box[0])).to(like)
    small = [_small(camera, like) for camera in cameras]
    near = [camera for camera in small if is_in_view(points, camera).any()]
    few = torch.linspace(0, len(near) - 1, min(len(near), _MOST_VIEWS)).round().long() if near else ()
    return [near[int(index)] for index in few]


def _small(camera: Camera, like: Tensor) -> Camera:
    smaller = scaled(camera, min(1.0, _LONGER_SIDE / max(camera.width, camera.height)))
    return replace(smaller, T_world_camera=camera.T_world_camera.to(like))
