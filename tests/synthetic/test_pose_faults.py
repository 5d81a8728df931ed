"""Faults of poses and depth have their documented size and are linear in the level."""

import numpy as np
import pytest

from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.pose_faults import faulty_depth, faulty_poses


def _straight_walk(frames: int = 101) -> np.ndarray:
    """10 m along x in steps of 10 cm."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(frames)
    return poses


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    trace = np.einsum("fij,fij->f", a[:, :3, :3], b[:, :3, :3])
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


@pytest.mark.parametrize("level", [0.5, 1.0, 2.0])
def test_drift_turns_by_a_third_of_a_degree_and_shifts_by_a_hundredth_per_metre(level: float) -> None:
    poses = _straight_walk()
    given = faulty_poses(poses, SynthOptions(faults=(("drift", level),)))
    np.testing.assert_allclose(_angle(given, poses), level * 0.3 * 0.1 * np.arange(101), atol=1e-6)
    first_step = given[1, :3, 3] - poses[1, :3, 3]
    assert np.linalg.norm(first_step) == pytest.approx(level * 0.01 * 0.1)
    np.testing.assert_array_equal(given[0], poses[0])


def test_pose_noise_is_a_third_of_a_degree_and_a_centimetre_and_linear() -> None:
    poses = _straight_walk(2000)
    options = [SynthOptions(faults=(("pose-noise", level),)) for level in (1.0, 2.0)]
    single, double = (faulty_poses(poses, option) for option in options)
    shift = single[:, :3, 3] - poses[:, :3, 3]
    assert np.sqrt((shift**2).sum(1).mean()) == pytest.approx(0.01, rel=0.05)
    assert np.sqrt((_angle(single, poses) ** 2).mean()) == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(double[:, :3, 3] - poses[:, :3, 3], 2 * shift)
    np.testing.assert_allclose(_angle(double, poses), 2 * _angle(single, poses), atol=1e-5)


def test_depth_noise_has_its_three_parts() -> None:
    depth = np.full((200, 300), 2.0, dtype=np.float32)
    options = SynthOptions(faults=(("depth-noise", 1.0),))
    given = [faulty_depth(depth, index, options) for index in range(60)]
    assert np.mean([(image == 0).mean() for image in given]) == pytest.approx(0.05, abs=0.003)
    scales = np.array([np.median(image[image > 0]) for image in given]) / 2.0
    assert scales.std() == pytest.approx(0.03, rel=0.3)
    spread = [image[image > 0].std() / image[image > 0].mean() for image in given]
    assert np.mean(spread) == pytest.approx(0.01, rel=0.03)


def test_without_faults_nothing_changes() -> None:
    poses, depth = _straight_walk(), np.ones((4, 5), dtype=np.float32)
    assert faulty_poses(poses, SynthOptions()) is poses
    assert faulty_depth(depth, 3, SynthOptions()) is depth
