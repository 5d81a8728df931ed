"""The surfaces of a trained scene and of its objects, from rendered depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.export.bake import drawn
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.objects import NamedObject, named_objects, owners
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.splats import train_cameras
from s3d_splat.export.surface import Surface, extract
from s3d_splat.export.volume import SIDE, DepthView, SurfaceVolume
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.types import Camera

_MIN_ALPHA = 0.5  # of a pixel that shows a surface
_PIXELS = 1.5  # edge of a voxel in pixels of the views, at their median depth
_MAX_BLOCKS = 60_000  # of 512 voxels: about 1 GB


@dataclass(frozen=True)
class Meshes:
    """The surface of a scene, and that of each object that has one; `rest` belongs to none."""

    scene: Surface
    objects: tuple[tuple[NamedObject, Surface], ...]
    rest: Surface
    figures: dict[str, Any]


def meshes_of(trained: TrainedScene, options: ExportOptions, advance: Advance) -> Meshes:
    """Fuse rendered depths, colours and objects of the train views, and cut the surface along objects.

    Raises:
        S3DError: no train frame, an unknown id, no surface, or more voxels than memory should hold.
    """
    cameras = train_cameras(trained, options.views)
    gaussians = trained.decode(cameras[0])
    names = named_objects(trained, gaussians.means, drawn(gaussians), options.ids)
    voxel = options.voxel or _PIXELS * _pixel(trained, cameras)
    surface = extract(_fused(trained, cameras, voxel, options.voxel is None, advance)).without_specks()
    if not len(surface.triangles):
        raise S3DError(
            "no surface was found", why="the views show nothing, or no two of them the same", fix="give a --voxel"
        )
    pairs = tuple((entry, part) for entry in names if len((part := surface.of(entry.id)).triangles))
    bare = [entry.name for entry in names if entry.id not in {other.id for other, _ in pairs}]
    notes = (
        [f"without a surface of their own (too thin for the grid, or seen by no view): {', '.join(bare)}"] if bare else []
    )
    figures = {"objects": len(pairs), "triangles": len(surface.triangles), "voxel": voxel, "notes": notes}
    return Meshes(surface, pairs, surface.of(0), figures)


def srgb_to_linear(colours: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """8-bit sRGB as linear light in 0..1, which glTF and USD want (IEC 61966-2-1)."""
    values = colours.astype(np.float64) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def y_up(trained: TrainedScene) -> Float[np.ndarray, "4 4"]:
    """`T_turned_world`: the cameras' mean upward direction becomes +y."""
    up = -np.stack([frame.camera.T_world_camera[:3, 1].double().numpy() for frame in trained.scene.frames]).mean(axis=0)
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    axis = int(np.abs(up).argmax())
    if abs(up[axis]) > 0.9:  # a world with an axis upwards keeps its right angles
        up = np.sign(up[axis]) * np.eye(3)[axis]
    right = np.cross(up, np.eye(3)[(axis + 1) % 3])
    right /= np.linalg.norm(right)
    turned = np.eye(4)
    turned[:3, :3] = np.stack((right, up, np.cross(right, up)))
    return turned


def _fused(
    trained: TrainedScene, cameras: Sequence[Camera], voxel: float, may_grow: bool, advance: Advance
) -> SurfaceVolume:
    volume = SurfaceVolume(voxel, _MAX_BLOCKS)
    try:
        for done, view in enumerate(_views(trained, cameras)):
            volume.add(view)
            advance(done + 1, len(cameras))
    except (OverflowError, ValueError) as error:
        if may_grow:
            return _fused(trained, cameras, 2 * voxel, may_grow, advance)
        raise S3DError(
            f"--voxel {voxel} is too fine",
            why=f"the surfaces need more than {_MAX_BLOCKS * SIDE**3 // 10**6} million voxels",
            fix="give a larger --voxel, or leave it away",
        ) from error
    return volume


@torch.no_grad()
def _views(trained: TrainedScene, cameras: Sequence[Camera]) -> Iterator[DepthView]:
    child = owners(trained)
    for camera in cameras:
        gaussians = trained.decode(camera)
        output = trained.rasterizer.render(gaussians, camera)
        shown = render_panoptic(gaussians, child, trained.instances, trained.rasterizer, camera)
        depth = torch.where(output.alpha >= _MIN_ALPHA, output.depth, 0)
        yield DepthView(camera, depth.cpu(), output.colour.cpu().clamp(0, 1), shown.instances.cpu())


def _pixel(trained: TrainedScene, cameras: Sequence[Camera]) -> float:
    """What a pixel of the views spans at their median depth, metres."""
    sizes = []
    for view in _views(trained, cameras[:: max(1, len(cameras) // 8)]):
        known = view.depth[view.depth > 0]
        if len(known):
            sizes.append(float(known.median()) / view.camera.fx)
    if not sizes:
        raise S3DError("no view shows a surface", why="meshes come from rendered depth", fix="train the run longer")
    return float(np.median(sizes))
