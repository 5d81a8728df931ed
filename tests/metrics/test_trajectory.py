"""Pose errors of cameras placed by hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from s3d_splat.metrics.trajectory import PoseAccuracy, absolute_trajectory_error, centre_errors, pair_errors


def poses(centres: list[list[float]], degrees: list[float] | None = None) -> np.ndarray:
    """Cameras at `centres`, turned about y."""
    turns = degrees or [0.0] * len(centres)
    result = np.tile(np.eye(4), (len(centres), 1, 1))
    result[:, :3, 3] = centres
    result[:, :3, :3] = Rotation.from_rotvec([[0, angle, 0] for angle in turns], degrees=True).as_matrix()
    return result


def measured(prediction: np.ndarray, truth: np.ndarray, known: list[bool] | None = None) -> dict[str, float | None]:
    metric = PoseAccuracy()
    metric.update(prediction, truth, np.ones(len(truth), bool) if known is None else np.array(known))
    return metric.compute()


def test_errors_of_a_pair() -> None:
    truth, everyone = poses([[0, 0, 0], [1, 0, 0]]), np.ones(2, bool)
    assert pair_errors(truth, truth, everyone) == pytest.approx([0], abs=1e-5)
    assert pair_errors(poses([[0, 0, 0], [-3, 0, 0]]), truth, everyone) == pytest.approx([0], abs=1e-5)  # no sign, no scale
    assert pair_errors(poses([[0, 0, 0], [1, 0, 0]], [0, 12]), truth, everyone) == pytest.approx([12])  # in the first's axes
    tilted = poses([[0, 0, 0], [1, np.tan(np.radians(7)), 0]], [0, 3])
    assert pair_errors(tilted, truth, everyone) == pytest.approx([7])
    assert pair_errors(poses([[0, 0, 0], [0, 0, 0]]), truth, everyone) == pytest.approx([90])
    assert pair_errors(truth, poses([[0, 0, 0], [0, 0, 0]]), everyone) == pytest.approx([0], abs=1e-5)


def test_auc_is_the_mean_over_whole_degrees() -> None:
    # one pair, 2.5 degrees wrong: right at 3, 4, 5 of 1..5, at 8 of 10, at 28 of 30
    result = measured(poses([[0, 0, 0], [1, 0, 0]], [0, 2.5]), poses([[0, 0, 0], [1, 0, 0]]))
    assert (result["auc5"], result["auc10"], result["auc30"]) == pytest.approx((3 / 5, 8 / 10, 28 / 30))


def test_pairs_with_a_missing_camera_are_wrong() -> None:
    truth = poses([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    broken = truth.copy()
    broken[2] = np.nan
    result = measured(broken, truth, [True, True, False])
    assert result["auc30"] == pytest.approx(1 / 3)
    assert result["ate"] == pytest.approx(0, abs=1e-9)


def test_any_similarity_of_the_world_changes_nothing() -> None:
    generator = np.random.default_rng(0)
    truth = poses(generator.normal(size=(6, 3)).tolist(), generator.uniform(0, 90, 6).tolist())
    turn = Rotation.random(random_state=1).as_matrix()
    moved = truth.copy()
    moved[:, :3, :3] = turn @ truth[:, :3, :3]
    moved[:, :3, 3] = 2.5 * truth[:, :3, 3] @ turn.T + [1, 2, 3]
    result = measured(moved, truth)
    assert result["auc5"] == 1.0
    assert result["ate"] == pytest.approx(0, abs=1e-9)


def test_ate_by_hand() -> None:
    # a square of side 2; the prediction lifts opposite corners by +h and -h in turn: nothing that a similarity could undo,
    # and the best scale is sum(p q) / sum(p p) = 8 / (8 + 4 h^2)
    square = np.array([[1.0, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]])
    h = 0.5
    bent = square + np.array([[0, 0, h], [0, 0, -h], [0, 0, h], [0, 0, -h]])
    scale = 8 / (8 + 4 * h * h)
    expected = np.sqrt(2 * (1 - scale) ** 2 + (scale * h) ** 2)
    assert absolute_trajectory_error(bent, square) == pytest.approx(expected)


def test_a_mirrored_trajectory_is_not_excused() -> None:
    centres = np.random.default_rng(2).normal(size=(8, 3))
    assert absolute_trajectory_error(centres * [-1, 1, 1], centres) > 0.1


def test_degenerate_trajectories() -> None:
    centres = np.array([[0.0, 0, 0], [2, 0, 0]])
    assert absolute_trajectory_error(np.zeros((2, 3)), centres) == pytest.approx(1.0)  # each 1 from the mean
    assert absolute_trajectory_error(centres[:1], centres[1:]) == 0.0
    assert measured(poses([[0, 0, 0]]), poses([[0, 0, 0]])) == {"auc5": None, "auc10": None, "auc30": None, "ate": 0.0}
    nobody = measured(poses([[0, 0, 0]] * 2), poses([[0, 0, 0]] * 2), [False, False])
    assert nobody == {"auc5": 0.0, "auc10": 0.0, "auc30": 0.0, "ate": None}


def test_sequences_add_up() -> None:
    truth = poses([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    whole, left, right = PoseAccuracy(), PoseAccuracy(), PoseAccuracy()
    for metric, angle in ((left, 3.0), (right, 20.0)):
        prediction = poses([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [0, angle, 0])
        for target in (whole, metric):
            target.update(prediction, truth, np.ones(3, bool))
    left.merge(right)
    assert left.compute() == whole.compute()
    whole.reset()
    assert set(whole.compute().values()) == {None}


@pytest.mark.parametrize("seed", range(4))
def test_the_similarity_fit_agrees_with_pycolmap(seed: int) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    prediction, truth = np.random.default_rng(seed).normal(size=(2, 12, 3))
    fit = pycolmap.estimate_sim3d(prediction, truth).matrix()
    residual = prediction @ fit[:, :3].T + fit[:, 3] - truth
    expected = np.sqrt(np.square(residual).sum(axis=1).mean())
    assert absolute_trajectory_error(prediction, truth) == pytest.approx(expected)
    assert centre_errors(prediction, truth) == pytest.approx(np.linalg.norm(residual, axis=1))


def test_the_rotation_of_the_fit_agrees_with_scipy() -> None:
    prediction, truth = np.random.default_rng(5).normal(size=(2, 12, 3))
    moved, target = prediction - prediction.mean(axis=0), truth - truth.mean(axis=0)
    turned = Rotation.align_vectors(target, moved)[0].apply(moved)
    scale = (turned * target).sum() / (turned * turned).sum()  # the best one for a given rotation
    expected = np.sqrt(np.square(scale * turned - target).sum(axis=1).mean())
    assert absolute_trajectory_error(prediction, truth) == pytest.approx(expected)
