"""The cloud that the depth of several images makes, on a room whose walls are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.depth_filter import smooth_depth, surface_normals
from s3d_splat.alignment.fusion import fuse
from s3d_splat.alignment.options import FusionOptions
from s3d_splat.alignment.pixels import cell_size
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import ray_directions, unproject_depth
from s3d_splat.types import Camera, SparseDepth
from tests.alignment.posed_images import camera_at, room_depth, source, world_frame

OPTIONS = FusionOptions(cell=0.02)
CAMERAS = [camera_at((0.2 * place - 0.4, 0.05 * place, -1.0), yaw=0.1 * (place - 2)) for place in range(5)]


def grey(camera: Camera, level: int) -> torch.Tensor:
    return torch.full((camera.height, camera.width, 3), level, dtype=torch.uint8)


def room(folder: Path, noise: float = 0.0) -> tuple[WorldFrame, ...]:
    generator = torch.Generator().manual_seed(0)
    frames = []
    for place, camera in enumerate(CAMERAS):
        depth = room_depth(camera)
        depth = depth * (1 + noise * torch.randn(depth.shape, generator=generator))
        given = source(folder, f"{place}.png", camera, depth, image=grey(camera, 51 * place))
        frames.append(world_frame(given, index=place))
    return tuple(frames)


def distance_to_room(points: torch.Tensor) -> torch.Tensor:
    """Distance of each point from the nearest wall or side of the pillar."""
    walls = (torch.tensor([2.0, 1.2, 3.0]) - points.abs()).abs().amin(1)
    outside = (points[:, [0, 2]] - torch.tensor([0.0, 1.5])).abs() - 0.2
    pillar = torch.where(outside.amax(1) < 0, outside.amax(1).abs(), outside.clamp(min=0).norm(dim=1))
    return torch.minimum(walls, pillar)


def test_points_lie_on_the_walls_with_their_normals(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    proxy = fuse(room(tmp_path), OPTIONS, lambda done, total: told.append((done, total)))
    distance = distance_to_room(proxy.points)
    assert distance.median() < 0.003
    assert distance.quantile(0.95) < 0.03  # edges are rounded: a pixel is 3 cm wide
    assert proxy.normals is not None
    assert proxy.confidence is not None
    back = ((proxy.points[:, 2] - 3.0).abs() < 0.005) & (proxy.points[:, :2].abs() < 0.9).all(1)
    facing = proxy.normals[back] @ torch.tensor([0.0, 0.0, -1.0])
    assert back.sum() > 300
    assert facing.median() > 0.999
    assert float(proxy.confidence.min()) > 0
    assert float(proxy.confidence.max()) <= 5 / 6  # five images at most, and one more in the denominator
    assert float(proxy.colours.max()) <= 204 / 255 + 1e-6
    assert told == [(done, 10) for done in range(1, 11)]


def test_one_point_remains_of_a_cell_and_the_result_does_not_depend_on_the_call(tmp_path: Path) -> None:
    frames = room(tmp_path, noise=0.01)
    proxy, again = fuse(frames, OPTIONS), fuse(frames, OPTIONS)
    cells = torch.floor(proxy.points.double() / cell_size(frames, OPTIONS.cell)).long()
    assert len(torch.unique(cells, dim=0)) == len(cells)
    assert torch.equal(proxy.points, again.points)
    assert torch.equal(cells, cells[np.lexsort(cells.T.flip(0).numpy())])  # by x, then y, then z


def test_noise_is_averaged(tmp_path: Path) -> None:
    """One per cent of noise at 2 to 4 metres moves single pixels by 20 to 40 mm."""
    proxy = fuse(room(tmp_path, noise=0.01), OPTIONS)
    assert distance_to_room(proxy.points).median() < 0.008


def test_what_several_images_look_through_goes(tmp_path: Path) -> None:
    frames = list(room(tmp_path))
    ghost = room_depth(CAMERAS[2])
    ghost[20:28, 28:36] = 0.8  # a plate that one image alone sees, and all others look through
    frames[2] = world_frame(source(tmp_path, "2.png", CAMERAS[2], ghost), index=2)
    proxy = fuse(frames, replace(OPTIONS, images=1))
    assert ((proxy.points[:, 2] + 0.2).abs() > 0.1).all()
    alone = fuse([frames[2]], OPTIONS)  # nobody contradicts
    assert ((alone.points[:, 2] + 0.2).abs() < 0.1).any()


def test_cells_that_too_few_images_see_go(tmp_path: Path) -> None:
    frames = room(tmp_path)[:2]
    lenient, strict = (len(fuse(frames, replace(OPTIONS, images=images)).points) for images in (1, 2))
    assert 0 < strict < lenient
    assert len(fuse(frames, replace(OPTIONS, images=5)).points) == strict  # there are only two images


def test_images_of_the_test_split_have_no_part(tmp_path: Path) -> None:
    frames = room(tmp_path)
    hidden = source(tmp_path, "0.png", CAMERAS[0], room_depth(CAMERAS[0]) * 1.5, split="test")
    expected = fuse(frames[1:], OPTIONS)
    found = fuse([world_frame(hidden), *frames[1:]], OPTIONS)
    assert torch.equal(found.points, expected.points)


def test_the_grid_coarsens_when_there_are_too_many_cells(tmp_path: Path) -> None:
    frames = room(tmp_path)
    proxy = fuse(frames, replace(OPTIONS, cells=1000))
    assert len(proxy.points) <= 1000
    assert distance_to_room(proxy.points).median() < 0.02


def test_depth_that_agrees_nowhere_is_refused(tmp_path: Path) -> None:
    first = world_frame(source(tmp_path, "a.png", CAMERAS[0], torch.full((48, 64), 2.0)))
    second = world_frame(source(tmp_path, "b.png", camera_at((50.0, 0.0, 0.0)), torch.full((48, 64), 2.0)))
    with pytest.raises(S3DError, match="no surface is where 2 of the 2 images with depth say it is"):
        fuse([first, second], OPTIONS)


def test_depth_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    depth = room_depth(CAMERAS[0])
    names = ("a.png", "b.png")
    frames = [world_frame(source(tmp_path, name, CAMERAS[0], depth, confidence=torch.zeros_like(depth))) for name in names]
    with pytest.raises(S3DError, match="none of the 2 images with depth has a pixel of 5% confidence"):
        fuse(frames, OPTIONS)


def test_without_depth_images_the_sparse_points_are_the_cloud(tmp_path: Path) -> None:
    """A point that two images see, one that the first sees alone, and one outside its image."""
    points = torch.tensor([[0.03, 0.02, 2.02], [0.52, 0.02, 2.02], [9.0, 0.0, 2.0]])
    frames = []
    for place, count in enumerate((3, 1)):
        camera = camera_at((0.1 * place, 0.0, 0.0))
        local = points[:count] - camera.T_world_camera[:3, 3].float()
        pixels = local[:, :2] / local[:, 2:] * 64 + torch.tensor([32.0, 24.0])
        sparse = SparseDepth(pixels, local[:, 2], torch.arange(count))
        given = source(tmp_path, f"{place}.png", camera, image=grey(camera, 102 * place))
        frames.append(world_frame(replace(given, sparse=sparse), index=place))
    proxy = fuse(frames, OPTIONS)
    assert proxy.normals is None
    assert proxy.confidence is not None
    torch.testing.assert_close(proxy.points, points[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(proxy.confidence, torch.tensor([2 / 3, 1 / 2]))  # seen in two images, in one


def test_a_capture_without_any_geometry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="no depth images, and no points"):
        fuse([world_frame(source(tmp_path, "a.png", CAMERAS[0]))], OPTIONS)


def test_normals_of_a_tilted_plane_face_the_camera() -> None:
    camera = camera_at((0.0, 0.0, 0.0))
    normal = torch.tensor([math.sin(0.5), 0.0, -math.cos(0.5)], dtype=torch.float64)
    depth = -2.0 / (ray_directions(camera) @ normal)  # the plane n . x = -2
    smooth = smooth_depth(depth, torch.ones_like(depth))
    torch.testing.assert_close(smooth[2:-2, 2:-2], depth[2:-2, 2:-2], atol=1e-9, rtol=0)
    normals = surface_normals(unproject_depth(smooth, camera), smooth)
    torch.testing.assert_close(normals[4:-4, 4:-4], normal.expand(40, 56, 3), atol=1e-9, rtol=0)
    assert not normals[:2].any()


def test_normals_beside_holes_and_steps_come_from_the_other_side() -> None:
    camera = camera_at((0.0, 0.0, 0.0))
    depth = torch.full((48, 64), 2.0, dtype=torch.float64)
    depth[20, 20] = 0.0
    depth[:, 40:] = 3.0
    normals = surface_normals(unproject_depth(depth, camera), depth)
    facing = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64)
    for row, column in ((20, 18), (18, 20), (10, 39), (10, 40)):
        torch.testing.assert_close(normals[row, column], facing)
    assert not normals[20, 20].any()
