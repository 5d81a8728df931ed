"""A network that knows the relief: what Depth Anything 3 would say of its images if it made no mistake."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from s3d_splat.priors.geometry.learned.prediction import Prediction
from tests.priors.relief import COUNT, FOCAL, HEIGHT, WIDTH, true_depth, true_pose

UNIT = 0.25  # of the network's gauge, for one of the world's


def truth(images: np.ndarray) -> Prediction:
    """All views of the relief in another gauge: turned, moved, and a quarter of the size."""
    count, _, height, width = images.shape
    assert count == COUNT
    gauge = np.eye(4)
    gauge[:3, :3] = Rotation.from_euler("xyz", [40, -70, 20], degrees=True).as_matrix()
    gauge[:3, 3] = [1.0, -2.0, 0.5]
    row, column = ((np.arange(side) + 0.5) / side for side in (height, width))
    at = np.ix_((row * HEIGHT).astype(int), (column * WIDTH).astype(int))
    poses = np.stack([np.linalg.inv(_shrunk(gauge @ true_pose(index))) for index in range(count)])
    across, down = width / WIDTH, height / HEIGHT
    intrinsics = np.array([[FOCAL * across, 0, width / 2], [0, FOCAL * down, height / 2], [0, 0, 1]])
    depth = np.stack([true_depth(index)[at] for index in range(count)])
    sure = np.ones_like(depth) * np.linspace(0.2, 1, width)
    return Prediction(
        depth=(UNIT * depth).astype(np.float32),
        confidence=sure.astype(np.float32),
        T_camera_cluster=poses,
        intrinsics=np.tile(intrinsics, (count, 1, 1)),
    )


def _shrunk(pose: np.ndarray) -> np.ndarray:
    smaller = pose.copy()
    smaller[:3, 3] *= UNIT
    return smaller
