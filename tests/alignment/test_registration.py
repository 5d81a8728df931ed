"""Similarities between clusters from images that they share; cameras and points made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.matches import Measured, PointPairs, shared_points
from s3d_splat.alignment.registration import Overlap, by_cameras, mean_rotation, register, robust_mean
from s3d_splat.geometry.similarity import exponential, inverse, moved_pose, scale_of, transformed
from s3d_splat.types import Camera, Frame, SparseDepth

RNG = np.random.default_rng
T_SECOND_FIRST = exponential(np.array([1.0, -2, 0.5, 0.4, 1.2, -0.3, 0.7]))  # gauges that differ in everything


def cameras(count: int, spread: float = 0.3) -> np.ndarray:
    tangents = RNG(1).normal(size=(count, 7)) * np.array([spread] * 3 + [0.3] * 3 + [0.0])
    return exponential(tangents)


def overlap(
    count: int = 6, *, spread: float = 0.3, outliers: float = 0.0, unit_error: float = 0.0, depth: bool = True
) -> Overlap:
    rng = RNG(2)
    first = cameras(count, spread)
    second = moved_pose(T_SECOND_FIRST, first)
    pairs: list[PointPairs | None] = []
    for _ in range(count):
        points = rng.uniform([-1, -1, 1], [1, 1, 4], size=(200, 3))
        other = points * float(scale_of(T_SECOND_FIRST)) * np.exp(unit_error * rng.normal())
        wrong = rng.random(200) < outliers
        other[wrong] *= rng.uniform(0.3, 3.0, size=(int(wrong.sum()), 1))
        pairs.append(PointPairs(points, other, np.ones(200)) if depth else None)
    return Overlap(tuple(f"{k}.png" for k in range(count)), first, second, tuple(pairs))


def off(T: np.ndarray) -> tuple[float, float, float]:
    """Shift, angle and log scale of what is left of the similarity, seen from where the cameras are."""
    left = inverse(T) @ inverse(T_SECOND_FIRST)
    angle = np.arccos(np.clip((np.trace(left[:3, :3] / scale_of(left)) - 1) / 2, -1, 1))
    centre = moved_pose(T_SECOND_FIRST, cameras(6))[:, :3, 3].mean(0, keepdims=True)
    shift = np.linalg.norm(transformed(left, centre) - centre)
    return float(shift), float(angle), abs(float(np.log(scale_of(left))))


@pytest.mark.parametrize("outliers", [0.0, 0.1, 0.4])
def test_exact_gauges(outliers: float) -> None:
    edge = register(0, 1, overlap(outliers=outliers), RNG(0))
    assert edge.accepted
    assert edge.frames == ("3.png", "3.png")
    assert edge.matches == pytest.approx(1200 * (1 - outliers), rel=0.1)
    np.testing.assert_allclose(edge.T_first_second, inverse(T_SECOND_FIRST), atol=1e-6)


def test_the_way_travelled_tells_the_scale_when_depth_is_off() -> None:
    """Every image's depth has a unit of its own, 3 % off: the depth alone would be 1 % off, in six images."""
    edge = register(0, 1, overlap(unit_error=0.03), RNG(0))
    shift, angle, scale = off(edge.T_first_second.numpy())
    assert angle < 1e-6
    assert scale < 2e-3
    assert shift < 2e-3


def test_depth_tells_the_scale_when_cameras_stand_still() -> None:
    edge = register(0, 1, overlap(1), RNG(0))
    assert edge.accepted
    np.testing.assert_allclose(edge.T_first_second, inverse(T_SECOND_FIRST), atol=1e-9)


def test_cameras_alone() -> None:
    edge = register(0, 1, overlap(depth=False), RNG(0))
    assert edge.accepted
    assert edge.matches == 0
    np.testing.assert_allclose(edge.T_first_second, inverse(T_SECOND_FIRST), atol=1e-9)


def test_nothing_tells_the_scale() -> None:
    edge = register(0, 1, overlap(1, depth=False), RNG(0))
    assert not edge.accepted
    assert "too close to give the scale" in edge.reason


def test_cameras_that_stand_in_one_place_in_one_gauge() -> None:
    given = overlap(1, depth=False)
    edge = register(0, 1, Overlap(given.names, given.first, given.first, given.points), RNG(0))
    assert edge.accepted
    assert torch.equal(edge.T_first_second, torch.eye(4, dtype=torch.float64))


def test_points_that_agree_on_nothing() -> None:
    given = overlap()
    rng = RNG(3)
    points = [PointPairs(p.first, rng.uniform([-1, -1, 1], [1, 1, 4], (200, 3)), p.confidence) for p in given.points if p]
    edge = register(0, 1, Overlap(given.names, given.first, given.second, tuple(points)), RNG(0))
    assert not edge.accepted
    assert edge.reason == "only 0 points agree; 12 are needed"


def test_an_image_that_one_cluster_posed_wrongly_does_no_harm() -> None:
    given = overlap(8)
    second = given.second.copy()
    second[2] = moved_pose(exponential(np.array([3.0, 1, 0, 0.5, 0.5, 0, 0])), second[2])
    T = by_cameras(Overlap(given.names, given.first, second, given.points), np.full(8, -0.7))
    assert T is not None
    shift, angle, _ = off(T)
    assert angle < 0.02
    assert shift < 0.1


def test_the_mean_rotation_is_a_median() -> None:
    turns = exponential(np.stack([np.array([0, 0, 0, 0, 0, angle, 0]) for angle in (0.1, 0.11, 0.12, 2.0)]))[:, :3, :3]
    mean = mean_rotation(turns)
    assert np.arctan2(mean[1, 0], mean[0, 0]) == pytest.approx(0.115, abs=0.01)


def test_the_robust_mean() -> None:
    assert robust_mean(np.array([[1.0, 2.0]] * 5 + [[100.0, 2.0]])).tolist() == pytest.approx([1.0, 2.0], abs=0.1)
    assert robust_mean(np.array([[1.0], [3.0]])).tolist() == pytest.approx([2.0])


def frame() -> Frame:
    camera = Camera(torch.eye(4, dtype=torch.float64), 50.0, 50.0, 32.0, 24.0, 64, 48)
    return Frame("images/a.png", camera, "train", Path("a.png"), None, None, None, None)


def test_sparse_points_meet_in_their_pixels() -> None:
    """Pixels that are half a pixel apart are one point, those 2 pixels apart are not."""
    a = SparseDepth(torch.tensor([[10.5, 10.5], [30.5, 20.5], [50.5, 5.5]]), torch.tensor([2.0, 3.0, 1.0]), torch.arange(3))
    b = SparseDepth(torch.tensor([[30.9, 20.2], [10.5, 10.5], [52.5, 5.5]]), torch.tensor([6.0, 4.0, 2.0]), torch.arange(3))
    pairs = shared_points(Measured(frame(), a), Measured(frame(), b))
    assert pairs is not None
    assert pairs.first[:, 2].tolist() == [2, 3]
    assert pairs.second[:, 2].tolist() == [4, 6]
    np.testing.assert_allclose(pairs.first[0], [(10.5 - 32) / 50 * 2, (10.5 - 24) / 50 * 2, 2])
    assert pairs.log_ratio() == pytest.approx(np.log(0.5))


def test_no_depth_on_one_side() -> None:
    sparse = SparseDepth(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert shared_points(Measured(frame(), None), Measured(frame(), sparse)) is None
    assert shared_points(Measured(frame(), sparse), Measured(frame(), sparse)) is None
