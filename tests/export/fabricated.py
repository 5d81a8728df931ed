"""The tiny scene as if it had been trained: a Gaussian at every point of its cloud, whose colour turns with the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from torch.nn.functional import normalize

from s3d_splat.export.base import TrainedScene
from s3d_splat.io.scene import load_scene
from s3d_splat.native.library import kernels
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.types import Camera, ClassInfo, Gaussians, InstanceSet, Scene
from tests.scene_fixtures import CLASS_OF_INSTANCE, write_tiny_scene

WALL, RED, BLUE = 1, 2, 3
TURN = torch.tensor([0.15, 0.0, -0.1])  # what is added to the colours towards +x


@lru_cache
def _scene() -> Scene:
    return load_scene(write_tiny_scene(Path(mkdtemp()) / "scene", truth=True))


def silent(done: int, total: int) -> None:
    """An `Advance` that tells nobody."""


def tiny_trained(
    classes: tuple[ClassInfo, ...] | None = None,
    class_id: tuple[int, int, int] = (1, 5, 5),
    change: Callable[[Gaussians], Gaussians] = lambda gaussians: gaussians,
    view_dependent_opacity: bool = False,
) -> TrainedScene:
    """The wall (1) and the two chairs (2, 3) of the tiny scene; one child an anchor.

    Args:
        classes: of the scene; its own unless given.
        class_id: of the three objects.
        change: is applied to what is decoded.
        view_dependent_opacity: opacity is 0.9, and 0.8 from the left half of the world.
    """
    scene = _scene() if classes is None else replace(_scene(), classes=classes)
    means = scene.proxy.points
    owner = _owner(means)

    def decode(camera: Camera) -> Gaussians:
        direction = normalize(means - camera.T_world_camera[:3, 3], dim=1)
        left = view_dependent_opacity and bool(camera.T_world_camera[0, 3] < 0)
        return change(
            Gaussians(
                means,
                torch.full_like(means, 0.03).log(),
                torch.tensor([1.0, 0, 0, 0]).repeat(len(means), 1),
                torch.full((len(means),), 0.8 if left else 0.9),
                (scene.proxy.colours * 0.6 + 0.2 + direction[:, :1] * TURN).clamp(0, 1),
            )
        )

    rasterizer = make_rasterizer(RasterOptions("cpu" if kernels() is not None else "reference"))
    return TrainedScene(scene, _instances(means, owner, class_id), means, decode, rasterizer, view_dependent_opacity)


def _owner(means: torch.Tensor) -> torch.Tensor:
    in_front = means[:, 2] < 2.9
    return torch.where(in_front, torch.where(means[:, 0] < 0, RED, BLUE), WALL).int()


def _instances(means: torch.Tensor, owner: torch.Tensor, class_id: tuple[int, int, int]) -> InstanceSet:
    boxes = [torch.stack((means[owner == id].amin(0), means[owner == id].amax(0))) for id in (WALL, RED, BLUE)]
    assert CLASS_OF_INSTANCE.tolist() == [0, 1, 5, 5]
    return InstanceSet(
        anchor_instance=owner,
        child_instance=owner[:, None],
        instance_id=torch.tensor([WALL, RED, BLUE], dtype=torch.int32),
        class_id=torch.tensor(class_id, dtype=torch.int32),
        is_thing=torch.tensor([0, 1, 1], dtype=torch.int32),
        score=torch.tensor([1.0, 0.75, 0.5]),
        size=torch.stack([(owner == id).sum() for id in (WALL, RED, BLUE)]).int(),
        aabb=torch.stack(boxes),
    )
