"""Camera poses against true poses: AUC over all pairs of cameras, and the absolute trajectory error.

Sources: J. Wang et al., "VGGT", CVPR 2025 (the mean over whole degrees, not the trapezoid area of SuperGlue and LoFTR); S.
Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

AUC_LIMITS = (5, 10, 30)  # degrees


class PoseAccuracy:
    """AUC over the pairs of all sequences; the trajectory error is the mean over sequences of their own."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every sequence."""
        self.below = np.zeros(max(AUC_LIMITS), np.int64)  # pairs with an error under 1, 2 ... degrees
        self.pairs = 0
        self.ate_sum = 0.0
        self.sequences = 0  # with at least one camera on both sides

    def update(
        self,
        prediction: Float[np.ndarray, "n 4 4"],
        truth: Float[np.ndarray, "n 4 4"],
        is_predicted: Bool[np.ndarray, " n"],
    ) -> None:
        """Add the cameras (T_world_camera) of one sequence, in the order of the truth.

        Args:
            is_predicted: which cameras the prediction has; others are not read, and wrong in every pair.
        """
        errors = pair_errors(prediction, truth, is_predicted)
        self.below = self.below + (errors[:, None] < np.arange(1, max(AUC_LIMITS) + 1)).sum(axis=0)
        self.pairs += len(errors)
        if is_predicted.any():
            self.ate_sum += absolute_trajectory_error(prediction[is_predicted, :3, 3], truth[is_predicted, :3, 3])
            self.sequences += 1

    def merge(self, other: PoseAccuracy) -> None:
        """Add what another accumulator has seen."""
        self.below = self.below + other.below
        self.pairs += other.pairs
        self.ate_sum += other.ate_sum
        self.sequences += other.sequences

    def compute(self) -> dict[str, float | None]:
        """`auc5 auc10 auc30` (0..1) and `ate` (units of the truth); None without pairs, without common cameras."""
        shares = self.below / max(self.pairs, 1)
        areas = {f"auc{limit}": float(shares[:limit].mean()) if self.pairs else None for limit in AUC_LIMITS}
        return {**areas, "ate": self.ate_sum / self.sequences if self.sequences else None}


def pair_errors(
    prediction: Float[np.ndarray, "n 4 4"], truth: Float[np.ndarray, "n 4 4"], is_predicted: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " p"]:
    """Error in degrees of every pair i < j: the larger of the rotation's angle and the translation direction's (0..90).

    Directions have no sign. Where two true cameras stand at one place there is no direction to be wrong about; a predicted
    pair at one place has a direction error of 90. A pair with a camera that is not predicted: infinite.
    """
    first, second = np.triu_indices(len(truth), 1)
    known = is_predicted[first] & is_predicted[second]
    errors = np.full(len(first), np.inf)
    predicted, true = (_relative(poses, first[known], second[known]) for poses in (prediction, truth))
    cosine = (np.einsum("nij,nij->n", predicted[:, :3, :3], true[:, :3, :3]) - 1) / 2  # of the angle of R R'^T
    rotation = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    t, t_true = predicted[:, :3, 3], true[:, :3, 3]
    length = np.linalg.norm(t, axis=1) * np.linalg.norm(t_true, axis=1)
    along = np.abs(np.einsum("ni,ni->n", t, t_true)) / np.where(length > 0, length, 1)
    direction = np.degrees(np.arccos(np.clip(along, 0, 1)))
    direction = np.where(np.linalg.norm(t_true, axis=1) > 0, direction, 0.0)
    errors[known] = np.maximum(rotation, direction)
    return errors


def absolute_trajectory_error(prediction: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]) -> float:
    """RMSE of camera centres after the least-squares similarity (rotation, scale, shift) of the prediction to the truth."""
    return float(np.sqrt(np.square(centre_errors(prediction, truth)).mean()))


def centre_errors(prediction: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Distance of each camera centre from the true one after that similarity."""
    moved, target = prediction - prediction.mean(axis=0), truth - truth.mean(axis=0)
    left, stretch, right = np.linalg.svd(target.T @ moved)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])  # a rotation, never a reflection
    spread = np.square(moved).sum()
    scale = (stretch * sign).sum() / spread if spread > 0 else 0.0
    return np.linalg.norm(target - scale * moved @ ((left * sign) @ right).T, axis=1)


def _relative(poses: Float[np.ndarray, "n 4 4"], first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, "p 4 4"]:
    """T_i_j = inverse(T_world_i) T_world_j."""
    rotation = poses[first, :3, :3].transpose(0, 2, 1)
    relative = np.zeros((len(first), 4, 4))
    relative[:, :3, :3] = rotation @ poses[second, :3, :3]
    relative[:, :3, 3] = np.einsum("nij,nj->ni", rotation, poses[second, :3, 3] - poses[first, :3, 3])
    relative[:, 3, 3] = 1
    return relative
