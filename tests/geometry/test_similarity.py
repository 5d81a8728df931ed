"""Similarities: the axioms of a group, its logarithm, and fits to points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from s3d_splat.geometry.similarity import (
    adjoint,
    cross_matrix,
    exponential,
    inverse,
    logarithm,
    moved_pose,
    rotation_of,
    scale_of,
    similarity,
    small_adjoint,
    transformed,
)
from s3d_splat.geometry.similarity_fit import least_squares, robust_fit

TANGENTS = {
    "any": np.random.default_rng(0).normal(size=(40, 7)),
    "tiny": 1e-9 * np.random.default_rng(1).normal(size=(5, 7)),
    "no rotation": np.array([[1.0, 2, 3, 0, 0, 0, 0.5]]),
    "no scale": np.array([[1.0, 2, 3, 0.3, -2, 0.1, 0]]),
    "nothing": np.zeros((1, 7)),
    "nearly half a turn": np.array([[1.0, 2, 3, np.pi - 1e-6, 0, 0, -1]]),
}


def some(count: int, seed: int = 3) -> np.ndarray:
    return exponential(np.random.default_rng(seed).normal(size=(count, 7)))


def generator(tangent: np.ndarray) -> np.ndarray:
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = cross_matrix(tangent[3:6]) + tangent[6] * np.eye(3)
    matrix[:3, 3] = tangent[:3]
    return matrix


def test_by_hand() -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    T = similarity(2.0, quarter, np.array([1.0, 0, 0]))
    assert transformed(T, np.array([[1.0, 0, 5]])).tolist() == [[1, 2, 10]]
    assert scale_of(T) == pytest.approx(2)
    np.testing.assert_allclose(rotation_of(T), quarter, atol=1e-15)
    pose = moved_pose(T, np.eye(4))
    np.testing.assert_allclose(pose[:3, :3], quarter, atol=1e-15)
    assert pose[:3, 3].tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", TANGENTS)
def test_exponential_is_that_of_matrices(name: str) -> None:
    tangents = TANGENTS[name]
    expected = np.stack([expm(generator(tangent)) for tangent in tangents])
    np.testing.assert_allclose(exponential(tangents), expected, atol=1e-11)


@pytest.mark.parametrize("name", TANGENTS)
def test_logarithm_undoes_the_exponential(name: str) -> None:
    T = exponential(TANGENTS[name])
    np.testing.assert_allclose(exponential(logarithm(T)), T, atol=1e-12)
    shorter = np.linalg.norm(TANGENTS[name][:, 3:6], axis=1) < np.pi
    np.testing.assert_allclose(logarithm(T)[shorter], TANGENTS[name][shorter], atol=1e-9)


def test_group() -> None:
    a, b, c = some(30).reshape(3, 10, 4, 4)
    identity = np.broadcast_to(np.eye(4), a.shape)
    np.testing.assert_allclose(a @ inverse(a), identity, atol=1e-12)
    np.testing.assert_allclose(inverse(a) @ a, identity, atol=1e-12)
    np.testing.assert_allclose(inverse(a @ b), inverse(b) @ inverse(a), atol=1e-12)
    np.testing.assert_allclose(scale_of(a @ b), scale_of(a) * scale_of(b), rtol=1e-12)
    np.testing.assert_allclose(rotation_of(a @ b), rotation_of(a) @ rotation_of(b), atol=1e-12)
    np.testing.assert_allclose(moved_pose(a @ b, c), moved_pose(a, moved_pose(b, c)), atol=1e-12)


def test_adjoint_moves_tangents() -> None:
    T, tangent = some(10), np.random.default_rng(5).normal(size=(10, 7))
    moved = (adjoint(T) @ tangent[..., None])[..., 0]
    np.testing.assert_allclose(T @ exponential(tangent), exponential(moved) @ T, atol=1e-10)
    np.testing.assert_allclose(expm(small_adjoint(tangent)), adjoint(exponential(tangent)), atol=1e-10)


def test_least_squares_finds_the_similarity() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    for T in some(5):
        np.testing.assert_allclose(least_squares(points, transformed(T, points)), T, atol=1e-12)


def test_least_squares_by_hand() -> None:
    """Two points on a line: as far apart on average as the targets, middle on middle."""
    source = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]])
    target = 3 * source + 1
    target[3] += 100
    T = least_squares(source, target, np.array([1.0, 1, 1, 0]))
    np.testing.assert_allclose(T, similarity(3.0, np.eye(3), np.ones(3)), atol=1e-12)


def test_least_squares_never_mirrors() -> None:
    source = np.random.default_rng(0).normal(size=(20, 3))
    assert np.linalg.det(least_squares(source, source * np.array([1.0, 1, -1]))[:3, :3]) > 0


def test_least_squares_moves_along() -> None:
    """Moving the targets by S moves the fit by S."""
    rng = np.random.default_rng(0)
    source, target, weights = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.uniform(size=9)
    S = some(1)[0]
    there = least_squares(source, transformed(S, target), weights)
    np.testing.assert_allclose(there, S @ least_squares(source, target, weights), atol=1e-12)


@pytest.mark.parametrize("outliers", [0.0, 0.1, 0.4])
def test_outliers_do_no_harm(outliers: float) -> None:
    rng = np.random.default_rng(7)
    source = rng.normal(size=(400, 3))
    T = some(1)[0]
    target = transformed(T, source) + 0.005 * rng.normal(size=source.shape)
    wrong = rng.random(400) < outliers
    target[wrong] += rng.normal(size=(int(wrong.sum()), 3)) * 2
    fit = robust_fit(source, target, np.full(400, 0.02), np.ones(400), rng)
    assert fit is not None
    np.testing.assert_allclose(fit.T_target_source, T, atol=0.003)
    assert np.mean(fit.inliers == ~wrong) > 0.97


def test_points_without_confidence_have_no_say() -> None:
    rng = np.random.default_rng(7)
    source, T = rng.normal(size=(100, 3)), some(1)[0]
    target = transformed(T, source)
    target[:60] = transformed(some(1, seed=9)[0], source[:60])
    confidence = (np.arange(100) >= 60).astype(float)
    fit = robust_fit(source, target, np.full(100, 0.01), confidence, rng)
    assert fit is not None
    np.testing.assert_allclose(fit.T_target_source, T, atol=1e-9)


def test_too_few_points() -> None:
    points = np.zeros((2, 3))
    assert robust_fit(points, points, np.ones(2), np.ones(2), np.random.default_rng(0)) is None
    assert robust_fit(np.eye(3), np.eye(3), np.ones(3), np.zeros(3), np.random.default_rng(0)) is None


def test_one_alone_is_as_in_a_batch() -> None:
    tangent = TANGENTS["any"][0]
    T = exponential(tangent)
    np.testing.assert_allclose(T, exponential(TANGENTS["any"])[0], atol=1e-15)
    np.testing.assert_allclose(exponential(logarithm(T)), T, atol=1e-12)
    np.testing.assert_allclose(adjoint(T) @ adjoint(inverse(T)), np.eye(7), atol=1e-11)
