"""Surfaces of a box, of which everything is known, laid on each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.contact import touching
from s3d_splat.alignment.keyframes import Keyframe, read_keyframe
from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.surfaces import Surface, laid_on, overlapping, surface_of
from s3d_splat.geometry.similarity import exponential, inverse, logarithm, similarity
from s3d_splat.io.images import write_image
from s3d_splat.types import Camera, Frame
from tests.alignment.box_world import COUNT, FOCAL, HEIGHT, WIDTH, rendered


def looking(centre: tuple[float, float, float], yaw: float) -> np.ndarray:
    """A pose with +z of the world up; yaw in radians from +x."""
    forward = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = centre
    return pose


CORNER = looking((-1.0, -1.0, 0.0), 0.7)  # two walls, floor and ceiling: they hold all of a similarity
BESIDE = looking((-0.6, -1.3, 0.2), 0.9)
WALL = looking((0.0, 0.0, 0.0), 0.0)  # sees the wall x = 4 in the middle
AWAY = looking((1.0, 1.0, 0.0), 0.7 + np.pi)


def frame(folder: Path, name: str, pose: np.ndarray, *, unit: float = 1.0, noise: float = 0.0) -> Frame:
    """A frame whose depth is counted in `unit` metres and wrong by a share of itself in every pixel."""
    image, depth = rendered(pose)
    depth = depth * (1 + noise * np.random.default_rng(len(name)).normal(size=depth.shape))
    write_image(folder / f"{name}.png", image)
    write_image(folder / f"{name}.depth.png", np.rint(depth / COUNT).astype(np.uint16))
    camera = Camera(torch.from_numpy(pose), FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    paths = (folder / f"{name}.png", folder / f"{name}.depth.png")
    return Frame(f"images/{name}.png", camera, "train", *paths, None, None, None, COUNT / unit)


def surface(folder: Path, name: str, pose: np.ndarray, *, unit: float = 1.0, noise: float = 0.0) -> Surface:
    found = surface_of(frame(folder, name, pose, unit=unit, noise=noise))
    assert found is not None
    return found


def test_a_wall_is_its_plane(tmp_path: Path) -> None:
    found = surface(tmp_path, "wall", WALL)
    assert found.planes.shape == (30, 40, 3)  # 40 columns, in the shape of the image
    np.testing.assert_allclose(found.planes[15, 20], [0, 0, 1 / 4], atol=1e-5)  # z = 4
    np.testing.assert_allclose((found.normals * found.centres).sum(1), 1, atol=1e-5)


def test_no_plane_without_depth_or_trust(tmp_path: Path) -> None:
    given = frame(tmp_path, "wall", WALL)
    trust = np.full((HEIGHT, WIDTH), 255, np.uint8)
    trust[:, : WIDTH // 2] = 25  # a tenth
    write_image(tmp_path / "trust.png", trust)
    half = surface_of(dataclasses.replace(given, confidence_path=tmp_path / "trust.png"))
    assert half is not None
    known = np.isfinite(half.planes[..., 0])
    assert not known[:, :18].any()
    assert known[10:20, 22:].all()
    assert surface_of(dataclasses.replace(given, depth_path=None)) is None


@pytest.mark.parametrize("unit", [1.0, 0.5])
def test_two_views_find_their_similarity(tmp_path: Path, unit: float) -> None:
    first, second = surface(tmp_path, "a", CORNER), surface(tmp_path, "b", BESIDE, unit=unit)
    true = np.linalg.inv(CORNER) @ BESIDE @ similarity(unit, np.eye(3), np.zeros(3))
    start = true @ exponential(np.array([0.04, -0.03, 0.05, 0.01, -0.015, 0.01, 0.02]))
    fit = laid_on(first, second, start)
    assert fit is not None
    np.testing.assert_allclose(logarithm(inverse(true) @ fit.T_first_second), 0, atol=2e-3)
    assert fit.residual < 1e-3


def test_noise_averages_out(tmp_path: Path) -> None:
    first, second = surface(tmp_path, "a", CORNER, noise=0.01), surface(tmp_path, "bb", BESIDE, noise=0.01)
    true = np.linalg.inv(CORNER) @ BESIDE
    fit = laid_on(first, second, true @ exponential(np.array([0.03, 0.0, 0.02, 0.0, 0.01, 0.0, 0.03])))
    assert fit is not None
    off = np.abs(logarithm(inverse(true) @ fit.T_first_second))
    assert off[:3].max() < 0.01  # metres, of 30 mm in a pixel
    assert off[3:].max() < 0.003  # radians and logarithm


def test_along_a_wall_nothing_is_known(tmp_path: Path) -> None:
    close = looking((2.0, 0.0, 0.0), 0.0)  # the wall fills the view
    found = surface(tmp_path, "wall", close)
    fit = laid_on(found, found, np.eye(4))
    assert fit is not None
    along, towards, up = fit.information[0, 0], fit.information[2, 2], fit.information[1, 1]
    assert along < 1e-6 * towards
    assert up < 1e-6 * towards
    assert fit.information[5, 5] < 1e-6 * fit.information[4, 4]  # a turn about the wall's normal does not show


def test_other_places_do_not_fit(tmp_path: Path) -> None:
    assert laid_on(surface(tmp_path, "a", CORNER), surface(tmp_path, "c", AWAY), np.linalg.inv(CORNER) @ AWAY) is None
    shifted = np.linalg.inv(CORNER) @ BESIDE @ exponential(np.array([0, 0, 2.0, 0, 0, 0, 0]))
    assert laid_on(surface(tmp_path, "a", CORNER), surface(tmp_path, "b", BESIDE), shifted) is None


def test_pairs_are_spread_over_time_and_within_reach(tmp_path: Path) -> None:
    same = surface(tmp_path, "a", CORNER)
    surfaces = dict.fromkeys(range(6), same) | {6: surface(tmp_path, "c", AWAY)}
    poses = np.stack([CORNER] * 6 + [AWAY])
    near = overlapping(surfaces, poses, 8, 1)
    assert near == [(k, k + 1) for k in range(5)]
    few = overlapping(surfaces, poses, 2, 6)
    assert [pair for pair in few if pair[1] == 5] == [(0, 5), (4, 5)]  # the first and the last that it could have
    assert overlapping({}, poses, 8, 6) == []


def test_keyframes_that_touch(tmp_path: Path) -> None:
    frames = [frame(tmp_path, "a", CORNER), frame(tmp_path, "b", BESIDE, unit=2.0), frame(tmp_path, "c", AWAY)]
    keyframes = [read_keyframe(f.image_path.name, k, k, Measured(f, None)) for k, f in enumerate(frames)]
    T = np.stack([CORNER, BESIDE @ similarity(2.0, np.eye(3), np.zeros(3)), AWAY])
    calls: list[tuple[int, int]] = []
    (edge,) = touching(keyframes, T, advance=lambda done, total: calls.append((done, total)))
    assert (edge.first, edge.second) == (0, 1)
    np.testing.assert_allclose(logarithm(inverse(inverse(T[0]) @ T[1]) @ edge.T_first_second), 0, atol=2e-3)
    assert np.linalg.eigvalsh(edge.covariance).min() > 0
    assert calls == [(1, 1)]
    bare: list[Keyframe] = [dataclasses.replace(keyframe, surface=None) for keyframe in keyframes]
    assert touching(bare, T) == []
