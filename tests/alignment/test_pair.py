"""Two images measured against each other: keyframes made by hand, whose corners are points in space."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.keyframes import Keyframe, choose, read_keyframe, signatures
from s3d_splat.alignment.loops import alike, in_sequence, measured, together
from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.pair import matches, measure
from s3d_splat.alignment.revisits import judged, revisits
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import exponential, inverse, logarithm, scale_of, transformed
from s3d_splat.types import Camera, Frame
from tests.alignment.box_world import any_gauges, clusters_of, ring

CAMERA = Camera(torch.eye(4, dtype=torch.float64), 250.0, 250.0, 160.0, 120.0, 320, 240)
T = exponential(np.array([0.3, -0.1, 0.2, 0.05, -0.2, 0.1, 0.4]))  # T_first_second


def keyframe(
    points: np.ndarray, descriptors: np.ndarray, *, depth_error: np.ndarray | None = None, image: int = 0
) -> Keyframe:
    pixels = points[:, :2] / points[:, 2:] * 250 + np.array([160.0, 120.0])
    seen = points if depth_error is None else points * depth_error[:, None]
    return Keyframe(f"{image}.png", image, image, CAMERA, pixels, seen, descriptors)


def two(count: int = 120, wrong: float = 0.0, noise: float = 0.0) -> tuple[Keyframe, Keyframe]:
    """Corners of one place; a share of the matches is wrong, and depth is off by a share of itself."""
    rng = np.random.default_rng(0)
    second = rng.uniform([-0.8, -0.6, 2], [0.8, 0.6, 5], size=(count, 3))
    second[:, :2] *= second[:, 2:] / 2
    descriptors = rng.integers(0, 120, size=(count, 128)).astype(np.uint8)
    order = np.arange(count)
    order[: int(wrong * count)] = np.roll(order[: int(wrong * count)], 1)
    errors = np.exp(noise * rng.normal(size=(2, count)))
    a = keyframe(transformed(T, second), descriptors[order], depth_error=errors[0])
    return a, keyframe(second, descriptors, depth_error=errors[1], image=1)


def test_exact_points() -> None:
    edge = measure(3, 7, two(), np.random.default_rng(0))
    assert edge is not None
    assert (edge.first, edge.second, edge.matches) == (3, 7, 120)
    np.testing.assert_allclose(edge.T_first_second, T, atol=1e-6)
    assert edge.residual < 1e-6


@pytest.mark.parametrize("wrong", [0.1, 0.5])
def test_wrong_matches_do_no_harm(wrong: float) -> None:
    edge = measure(0, 1, two(200, wrong, noise=0.01), np.random.default_rng(0))
    assert edge is not None
    assert edge.matches == pytest.approx(200 * (1 - wrong), rel=0.1)
    off = logarithm(inverse(edge.T_first_second) @ T)
    assert np.rad2deg(np.linalg.norm(off[3:6])) < 0.2
    assert np.linalg.norm(off[:3]) < 0.03
    assert np.linalg.norm(off / np.sqrt(np.diag(edge.covariance))) < 6


def test_too_few_points_and_too_small_an_area() -> None:
    assert measure(0, 1, two(12), np.random.default_rng(0)) is None
    a, b = two()
    far = dataclasses.replace(b, points=b.points * np.array([0.03, 0.03, 1]), pixels=(b.pixels - 160) * 0.03 + 160)
    near = keyframe(transformed(T, far.points), a.descriptors)
    assert measure(0, 1, (near, far), np.random.default_rng(0)) is None


def test_images_of_different_places() -> None:
    a, b = two()
    other = np.random.default_rng(9).uniform([-1, -1, 2], [1, 1, 5], size=(120, 3))
    assert measure(0, 1, (keyframe(other, a.descriptors), b), np.random.default_rng(0)) is None


def test_matches_are_mutual_and_clear() -> None:
    """Rows 0 and 1 match; row 2 lies between two of the others; row 3 has no partner that prefers it."""
    eye = (200 * np.eye(128)).astype(np.uint8)
    first = np.stack([eye[0], eye[1], (eye[2] // 2 + eye[3] // 2), eye[0] // 2 + eye[9] // 2])
    second = np.stack([eye[1], eye[0], eye[2], eye[3]])
    rows, columns = matches(first, second)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert len(matches(first[:1], second)[0]) == 0


def test_keyframes_are_a_step_or_a_turn_apart() -> None:
    poses = np.stack([np.eye(4)] * 8)
    poses[:, 0, 3] = [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.24]
    assert choose(poses, unit=1.0) == [0, 3, 6, 7]
    assert choose(poses, unit=10.0) == [0, 7]
    turned = exponential(np.stack([np.array([0, 0, 0, 0, np.deg2rad(4 * k), 0, 0]) for k in range(8)]))
    assert choose(turned, unit=1.0) == [0, 3, 6, 7]
    assert choose(poses[:1], unit=1.0) == [0]


def test_places_seen_again_look_alike(tmp_path: Path) -> None:
    """The last fifth of the ring sees what its first fifth saw."""
    poses = ring(25, turns=1.21)  # 20 steps are 363 degrees
    (cluster,) = clusters_of(tmp_path, poses, [range(25)], any_gauges(1))
    frames = [read_keyframe(str(k), k, 0, Measured(frame, None)) for k, frame in enumerate(cluster.frames)]
    looks = signatures(frames, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, atol=1e-5)
    assert [int((looks[:12] @ looks[k]).argmax()) for k in (20, 21, 22)] == [0, 1, 2]
    assert (0, 20) in alike(looks)
    near = together(poses, looks, 2.0, [])
    assert (0, 20) in near
    assert all(abs(a + 20 - b) <= 3 for a, b in near)
    assert (0, 20) not in together(poses, looks, 2.0, [(0, 20)])
    seen: list[tuple[int, int]] = []
    found = measured([(0, 20), (0, 10)], frames, np.random.default_rng(0), lambda *step: seen.append(step))
    assert [(edge.first, edge.second) for edge in found] == [(0, 20)]
    assert seen == [(1, 2), (2, 2)]
    relative = inverse(poses[0]) @ poses[20]
    assert float(scale_of(found[0].T_first_second)) == pytest.approx(1, abs=0.01)
    turn = relative[:3, :3].T @ found[0].T_first_second[:3, :3]
    assert np.rad2deg(np.arccos(min(1.0, (np.trace(turn) - 1) / 2))) < 0.5


def test_an_image_without_corners() -> None:
    none = Keyframe("a", 0, 0, CAMERA, np.zeros((0, 2)), np.zeros((0, 3)), np.zeros((0, 128), np.uint8))
    assert measure(0, 1, (none, none), np.random.default_rng(0)) is None
    assert not signatures([none, none], np.random.default_rng(0)).any()


def test_pairs_in_sequence() -> None:
    assert in_sequence(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def _table(name: str) -> dict[str, Measured]:
    return {name: Measured(Frame(name, CAMERA, "train", Path(), None, None, None, None), None)}


def test_one_pair_with_few_points_needs_another() -> None:
    frames = two()
    edge = measure(0, 1, frames, np.random.default_rng(0))
    assert edge is not None
    few, other = dataclasses.replace(edge, matches=20), dataclasses.replace(edge, matches=21)
    tables = [_table("0.png"), _table("1.png")]
    alone = revisits([few], frames, tables, [1.0, 1.0])
    assert [found.edge.accepted for found in alone] == [False]
    assert alone[0].edge.reason == "only one pair of images with 20 points says so"
    assert [found.edge.accepted for found in revisits([few, other], frames, tables, [1.0, 1.0])] == [True, True]
    (sure,) = revisits([edge], frames, tables, [1.0, 1.0])
    assert sure.edge.accepted
    np.testing.assert_allclose(sure.edge.T_first_second, T, atol=1e-6)
    assert revisits([edge], frames, [_table("0.png") | _table("1.png")] * 2, [1.0, 1.0]) == []


def test_what_contradicts_the_images_is_rejected() -> None:
    edge = Edge("loop", 0, 1, torch.eye(4, dtype=torch.float64), ("a", "b"), 20, 0.0, True)
    (kept,), (dropped,) = judged([edge], {("a", "b"): 3.0}), judged([edge], {("a", "b"): 12.0})
    assert kept.accepted
    assert not dropped.accepted
    assert dropped.reason == "it contradicts the images around it (by 12 sigmas)"
