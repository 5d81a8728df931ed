"""Distances and normals of small clouds."""

import numpy as np
import pytest

from s3d_splat.metrics import pointcloud
from s3d_splat.metrics.pointcloud import CloudAccuracy, compare_clouds, estimate_normals


def plane(height: float, tilt: float = 0.0) -> np.ndarray:
    """A grid of 8 x 8 points, 0.1 apart, tilted about y by an angle in degrees."""
    x, y = np.meshgrid(np.arange(8) * 0.1, np.arange(8) * 0.1)
    return np.stack([x, y, height + x * np.tan(np.radians(tilt))], axis=-1).reshape(-1, 3)


def test_distances_by_hand() -> None:
    prediction, truth = np.array([[0.0, 0, 0], [3, 0, 0]]), np.array([[0.0, 0, 1], [0, 0, 2], [3, 4, 0]])
    result = compare_clouds(prediction, truth, np.ones((2, 3)), np.ones((3, 3)))
    assert result["accuracy_mean"] == pytest.approx((1 + np.sqrt(10)) / 2)
    assert result["completion_mean"] == pytest.approx((1 + 2 + 4) / 3)
    assert result["completion_median"] == 2.0
    assert result["normal_consistency_mean"] == pytest.approx(1.0)


def test_given_normals_have_no_sign_and_no_length() -> None:
    points = np.array([[0.0, 0, 0], [5, 0, 0]])
    own, true = np.array([[0.0, 0, -2], [0, 0, 1]]), np.array([[0.0, 0, 1], [0, 1, 1]])
    result = compare_clouds(points, points, own, true)
    assert result["normal_consistency_mean"] == pytest.approx((1 + np.sqrt(0.5)) / 2)


def test_normals_are_estimated_for_both_if_one_has_none() -> None:
    flat, tilted = plane(0.0), plane(0.0, tilt=60.0)
    wrong = np.tile([1.0, 0, 0], (64, 1))
    assert compare_clouds(flat, plane(0.01), wrong)["normal_consistency_mean"] == pytest.approx(1.0)
    assert compare_clouds(flat, tilted)["normal_consistency_median"] == pytest.approx(np.cos(np.radians(60)))


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    whole = estimate_normals(points)
    monkeypatch.setattr(pointcloud, "_BATCH", 7)
    assert np.abs(np.einsum("ni,ni->n", estimate_normals(points), whole)) == pytest.approx(np.ones(50))


def test_nothing_to_measure() -> None:
    some, none = np.zeros((2, 3)), np.zeros((0, 3))
    assert set(compare_clouds(some, none).values()) == set(compare_clouds(none, some).values()) == {None}
    result = compare_clouds(some, some)
    assert (result["accuracy_mean"], result["normal_consistency_mean"]) == (0.0, None)


def test_scenes_add_up() -> None:
    whole, left, right = CloudAccuracy(), CloudAccuracy(), CloudAccuracy()
    line = np.array([[0.0, 0, 0], [1, 0, 0]])  # two points: no normals of their own
    up = np.tile([0.0, 0, 1], (2, 1))
    for metric, shift, normals in ((left, 0.5, None), (right, 0.25, up)):
        for target in (whole, metric):
            target.update(line + np.array([0, shift, 0]), line, normals, normals)
    left.merge(right)
    assert left.compute() == whole.compute()
    assert whole.compute()["accuracy_mean"] == pytest.approx((0.5 + 0.25) / 2)
    assert whole.compute()["normal_consistency_mean"] == 1.0  # of the one scene that has it
    whole.reset()
    assert set(whole.compute().values()) == {None}
