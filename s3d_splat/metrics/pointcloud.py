"""Geometry of a point cloud against a true one: accuracy, completion and normal consistency, without any alignment."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

NEIGHBOURS = 30  # for normals from the points alone
_BATCH = 50_000  # points whose neighbourhoods are held at a time


NAMES = tuple(f"{what}_{how}" for what in ("accuracy", "completion", "normal_consistency") for how in ("mean", "median"))


class CloudAccuracy:
    """Means over scenes, each with equal weight, of the values of `compare_clouds`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.sums = dict.fromkeys(NAMES, 0.0)
        self.scenes = dict.fromkeys(NAMES, 0)  # a scene without normals counts for the distances alone

    def update(
        self,
        prediction: Float[np.ndarray, "n 3"],
        truth: Float[np.ndarray, "m 3"],
        prediction_normals: Float[np.ndarray, "n 3"] | None = None,
        truth_normals: Float[np.ndarray, "m 3"] | None = None,
    ) -> dict[str, float | None]:
        """Add one scene and return its own values, see `compare_clouds`."""
        values = compare_clouds(prediction, truth, prediction_normals, truth_normals)
        for name, value in values.items():
            if value is not None:
                self.sums[name] += value
                self.scenes[name] += 1
        return values

    def merge(self, other: CloudAccuracy) -> None:
        """Add what another accumulator has seen."""
        for name in NAMES:
            self.sums[name] += other.sums[name]
            self.scenes[name] += other.scenes[name]

    def compute(self) -> dict[str, float | None]:
        """The values of `compare_clouds`, each the mean over the scenes that have it; None without any."""
        return {name: self.sums[name] / self.scenes[name] if self.scenes[name] else None for name in NAMES}


def compare_clouds(
    prediction: Float[np.ndarray, "n 3"],
    truth: Float[np.ndarray, "m 3"],
    prediction_normals: Float[np.ndarray, "n 3"] | None = None,
    truth_normals: Float[np.ndarray, "m 3"] | None = None,
) -> dict[str, float | None]:
    """Compare two clouds (one unit of length for both).

    Accuracy is the distance of each predicted point to its nearest true point, completion the reverse; normal consistency is
    |n . n'| over those same nearest pairs, the mean of the two directions' means (and of their medians). If one cloud has no
    normals, those of both are estimated: the direction of least spread of the 30 nearest points (itself included).

    Returns:
        `accuracy_mean accuracy_median completion_mean completion_median normal_consistency_mean normal_consistency_median`;
        all None if a cloud is empty, the last two if a cloud without normals has fewer than three points.
    """
    if len(prediction) == 0 or len(truth) == 0:
        return dict.fromkeys(NAMES)
    accuracy, to_truth = cKDTree(truth).query(prediction, workers=2)
    completion, to_prediction = cKDTree(prediction).query(truth, workers=2)
    values = [how(distance) for distance in (accuracy, completion) for how in (np.mean, np.median)]
    normals = _unit_normals(prediction, truth, prediction_normals, truth_normals)
    if normals is None:
        return dict(zip(NAMES, [*map(float, values), None, None], strict=True))
    own, true = normals
    forth = np.abs(np.einsum("ni,ni->n", own, true[to_truth]))
    back = np.abs(np.einsum("ni,ni->n", true, own[to_prediction]))
    values += [(how(forth) + how(back)) / 2 for how in (np.mean, np.median)]
    return dict(zip(NAMES, map(float, values), strict=True))


def estimate_normals(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Unit normals (of either sign) of at least three points: the direction of least spread of the 30 nearest ones."""
    _, index = cKDTree(points).query(points, k=min(NEIGHBOURS, len(points)), workers=2)
    normals = [np.zeros((0, 3))]
    for start in range(0, len(points), _BATCH):
        patch = points[index[start : start + _BATCH]].astype(np.float64)
        offset = patch - patch.mean(axis=1, keepdims=True)
        _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", offset, offset))
        normals.append(axes[:, :, 0])
    return np.concatenate(normals)


def _unit_normals(
    prediction: Float[np.ndarray, "n 3"],
    truth: Float[np.ndarray, "m 3"],
    prediction_normals: Float[np.ndarray, "n 3"] | None,
    truth_normals: Float[np.ndarray, "m 3"] | None,
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "m 3"]] | None:
    if prediction_normals is not None and truth_normals is not None:
        return _unit(prediction_normals), _unit(truth_normals)
    if min(len(prediction), len(truth)) < 3:
        return None
    return estimate_normals(prediction), estimate_normals(truth)


def _unit(normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 0, length, 1)
