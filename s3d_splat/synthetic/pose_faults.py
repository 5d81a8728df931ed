"""Faults of what a geometry estimator would give: poses and depth. Linear in their level; level 1 as documented."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from s3d_splat.synthetic.options import SynthOptions, fault_level
from s3d_splat.synthetic.stage import stream

_DRIFT_ANGLE = np.deg2rad(0.3)  # per metre travelled
_DRIFT_SHIFT = 0.01  # metres per metre travelled
_POSE_ANGLE, _POSE_SHIFT = np.deg2rad(0.3), 0.01  # root mean square of angle and of metres
_DEPTH_NOISE, _DEPTH_HOLES, _DEPTH_SCALE = 0.01, 0.05, 0.03


def faulty_poses(poses: Float[np.ndarray, "f 4 4"], options: SynthOptions, estimate: int = 0) -> Float[np.ndarray, "f 4 4"]:
    """Camera-to-world poses with the drift and the noise that the options ask for, drawn anew for every `estimate`."""
    given = poses
    if drift := fault_level(options, "drift"):
        given = _drifting(given, drift, stream(options.seed, "drift", estimate))
    if noise := fault_level(options, "pose-noise"):
        given = _shaking(given, noise, stream(options.seed, "pose-noise", estimate))
    return given


def _drifting(poses: Float[np.ndarray, "f 4 4"], level: float, rng: np.random.Generator) -> Float[np.ndarray, "f 4 4"]:
    """Errors that add up along the way, as in odometry, about one axis and along one direction.

    After s metres the rotation is wrong by 0.3 s degrees; each step is taken with the rotation wrong so far, and is
    1 % of its length off.
    """
    axis, direction = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    steps = np.diff(poses[:, :3, 3], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    turned = Rotation.from_rotvec(level * _DRIFT_ANGLE * travelled[:, None] * axis).as_matrix()
    wrong_steps = np.einsum("fij,fj->fi", turned[:-1], steps) + level * _DRIFT_SHIFT * lengths[:, None] * direction
    given = poses.copy()
    given[:, :3, :3] = turned @ poses[:, :3, :3]
    given[1:, :3, 3] = poses[0, :3, 3] + np.cumsum(wrong_steps, axis=0)
    return given


def _shaking(poses: Float[np.ndarray, "f 4 4"], level: float, rng: np.random.Generator) -> Float[np.ndarray, "f 4 4"]:
    """Independent errors of every pose."""
    draws = rng.normal(size=(2, len(poses), 3)) / np.sqrt(3)
    given = poses.copy()
    given[:, :3, :3] = poses[:, :3, :3] @ Rotation.from_rotvec(level * _POSE_ANGLE * draws[0]).as_matrix()
    given[:, :3, 3] = poses[:, :3, 3] + level * _POSE_SHIFT * draws[1]
    return given


def faulty_depth(depth: Float[np.ndarray, "h w"], index: int, options: SynthOptions) -> Float[np.ndarray, "h w"]:
    """Depth of frame `index` (metres, 0 = none) with noise of 1 % of z, 5 % of the pixels without depth and a scale error
    of 3 % (standard deviation) common to the frame."""
    level = fault_level(options, "depth-noise")
    if not level:
        return depth
    rng = stream(options.seed, "depth-noise", index)
    scale = 1 + level * _DEPTH_SCALE * rng.normal()
    noise = 1 + level * _DEPTH_NOISE * rng.normal(size=depth.shape)
    holes = rng.random(depth.shape) < level * _DEPTH_HOLES
    return np.where(holes, 0.0, np.maximum(depth * scale * noise, 0.0)).astype(np.float32)
