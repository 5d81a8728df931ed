"""Poses as files write them: numbers that must make a rigid motion."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from s3d_splat.errors import S3DError

_ROTATION_TOLERANCE = 1e-3  # largest deviation of R^T R from the identity that is taken for rounding
_SNAP = 1e-6  # beyond this the rotation is replaced by the nearest exact one, so that its transpose is its inverse


def read_pose(value: Any, where: str, *, called: str = "transform_matrix") -> Float[np.ndarray, "4 4"]:
    """A rigid motion from three or four rows of four numbers, its rotation made exact.

    Args:
        where: names the frame in the message.
        called: what its file calls the matrix.

    Raises:
        S3DError: no 4x4 matrix, not finite, or no rigid motion.
    """
    try:
        pose = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        pose = np.empty(0)
    if pose.shape == (3, 4):
        pose = np.vstack([pose, [0.0, 0.0, 0.0, 1.0]])
    if pose.shape != (4, 4):
        raise S3DError(f"{where}: {called} is no 4x4 matrix", why="it is the pose", fix="write four rows of four numbers")
    if not np.isfinite(pose).all():
        raise S3DError(
            f"{where}: the pose ({called}) is not finite",
            why="nothing can be seen from nowhere",
            fix="remove the frame, or find its pose again",
        )
    rotation = pose[:3, :3]
    deviation = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    determinant = float(np.linalg.det(rotation))
    if deviation > _ROTATION_TOLERANCE or determinant < 0 or not np.allclose(pose[3], [0, 0, 0, 1]):
        raise S3DError(
            f"{where}: the pose ({called}) is not rigid (R^T R off by {deviation:.3g}, det R {determinant:.3g})",
            why="a camera is rotated and moved, never scaled, sheared or mirrored",
            fix="divide the scale out of the rotation (and apply it to the whole scene), or find the pose again",
        )
    if deviation > _SNAP:
        left, _, right = np.linalg.svd(rotation)
        pose[:3, :3] = left @ right
    return pose
