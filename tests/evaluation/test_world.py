"""Truth that lies in another world than the scene: found by the cameras, moved by hand-made similarities."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from s3d_splat.evaluation.files import evaluate_instances_files
from s3d_splat.evaluation.geometry_files import evaluate_poses_files
from s3d_splat.evaluation.run import evaluate_run
from s3d_splat.evaluation.world import TrueCameras, camera_metrics, true_cameras, truth_placement
from s3d_splat.geometry.similarity import moved_pose, similarity, transformed
from s3d_splat.io.scene import load_scene
from s3d_splat.types import Gaussians
from tests.evaluation.test_run import PERFECT_3D, perfect_run
from tests.scene_fixtures import write_tiny_scene

T = similarity(0.4, Rotation.from_rotvec([0.3, -1.2, 2.0]).as_matrix(), np.array([5.0, -3.0, 1.0]))


def poses(centres: np.ndarray) -> np.ndarray:
    made = np.tile(np.eye(4), (len(centres), 1, 1))
    made[:, :3, :3] = Rotation.from_rotvec(0.3 * np.arange(3 * len(centres)).reshape(-1, 3) % 2.0).as_matrix()
    made[:, :3, 3] = centres
    return made


def cameras(centres: list[list[float]]) -> TrueCameras:
    truth = poses(np.array(centres))
    return TrueCameras(truth, moved_pose(T, truth), np.ones(len(truth), dtype=bool))


@pytest.mark.parametrize(
    "centres",
    [
        [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.3, 1, 1]],
        [[0, 0, 0], [1, 1, 0], [2, 2, 0], [5, 5, 0]],  # on a line: the rotations help
        [[0, 0, 0], [0, 0, 3]],
    ],
)
def test_the_similarity_is_found(centres: list[list[float]]) -> None:
    placement = truth_placement(cameras(centres))
    assert placement.T_scene_truth is not None
    np.testing.assert_allclose(placement.T_scene_truth, T, atol=1e-9)
    assert placement.scale == pytest.approx(0.4)
    assert not placement.is_same
    points = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)
    moved = placement.place(points)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, transformed(T, points), rtol=1e-6)


def test_cameras_that_the_scene_lacks_have_no_part() -> None:
    given = cameras([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.3, 1, 1], [9, 9, 9]])
    scene = given.scene.copy()
    scene[4] = np.eye(4)
    placement = truth_placement(TrueCameras(given.truth, scene, np.array([True] * 4 + [False])))
    assert placement.T_scene_truth is not None
    np.testing.assert_allclose(placement.T_scene_truth, T, atol=1e-9)


@pytest.mark.parametrize(
    ("centres", "posed", "reason"),
    [
        ([[1, 2, 3]], True, "the only camera shared with truth/transforms.json stand"),
        ([[1, 2, 3], [1, 2, 3]], True, "all 2 cameras shared with truth/transforms.json stand at one place"),
        ([[1, 2, 3], [2, 2, 3]], False, "no camera of truth/transforms.json is in the scene"),
    ],
)
def test_too_few_cameras_place_nothing(centres: list[list[float]], posed: bool, reason: str) -> None:
    given = cameras(centres)
    placement = truth_placement(TrueCameras(given.truth, given.scene, np.full(len(centres), posed)))
    assert placement.T_scene_truth is None
    assert reason in placement.reason
    with pytest.raises(ValueError, match=reason):
        placement.place(np.zeros((1, 3)))


def test_equal_poses_are_one_world_to_the_last_bit() -> None:
    truth = poses(np.random.default_rng(0).normal(size=(5, 3)))
    rounded = truth.astype(np.float32).astype(np.float64)
    for placement in (truth_placement(None), truth_placement(TrueCameras(truth, rounded, np.ones(5, dtype=bool)))):
        points = np.ones((2, 3), dtype=np.float32)
        assert placement.is_same
        assert placement.scale == 1.0
        assert placement.place(points) is points


def move_scene(root: Path) -> None:
    """Take the cameras of a scene folder into another world; its truth stays where it is."""
    table: dict[str, Any] = json.loads((root / "transforms.json").read_text())
    for row in table["frames"]:
        row["transform_matrix"] = moved_pose(T, np.array(row["transform_matrix"])).tolist()
    (root / "transforms.json").write_text(json.dumps(table))


def moved_run(tmp_path: Path) -> tuple[Any, ...]:
    """A scene in another world than its truth, and a run whose splats are the truth in the scene's world."""
    root = write_tiny_scene(tmp_path / "scene", truth=True)
    move_scene(root)
    scene = load_scene(root)
    run, instances, gaussians, positions = perfect_run(scene, tmp_path / "run")
    there = torch.from_numpy(transformed(T, positions.numpy().astype(np.float64)).astype(np.float32))
    moved = Gaussians(**{**vars(gaussians), "means": there})
    return run, scene, instances, moved, there


def test_points_are_labelled_in_the_world_of_the_scene(tmp_path: Path) -> None:
    run, scene, *parts = moved_run(tmp_path)
    result = evaluate_run(run, scene, *parts)
    assert {key: result[key] for key in PERFECT_3D} == dict.fromkeys(PERFECT_3D, 1.0)
    assert (result["auc5"], result["ate"]) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))
    assert "points_remark" not in result
    figures = evaluate_instances_files(run.eval_points, scene.root / "truth" / "points.npz", "class-agnostic")
    shared = figures.keys() & result.keys()
    assert {key: figures[key] for key in shared} == {key: result[key] for key in shared}
    cameras = evaluate_poses_files(scene.root, scene.root / "truth")
    for key in ("auc5", "auc10", "auc30", "ate"):
        assert cameras[key] == result[key]


def test_the_reach_of_an_anchor_is_5_centimetres_of_the_truth(tmp_path: Path) -> None:
    """Splats too small to hold a point; anchors 4 cm of the truth (1.6 cm of the scene) away, then 6 cm (2.4 cm)."""
    run, scene, instances, gaussians, anchors = moved_run(tmp_path)
    tiny = Gaussians(**{**vars(gaussians), "means": gaussians.means + 100})
    towards = torch.from_numpy(T[:3, :3] @ np.array([0.0, 0.0, 1.0])).float()  # as long as a metre of the truth
    assert evaluate_run(run, scene, instances, tiny, anchors + 0.04 * towards)["miou"] > 0.9
    assert evaluate_run(run, scene, instances, tiny, anchors + 0.06 * towards)["miou"] == 0.0


def test_points_that_cannot_be_placed_are_not_scored(tmp_path: Path) -> None:
    run, scene, *parts = moved_run(tmp_path)
    evaluate_run(run, scene, *parts)
    table = json.loads((scene.root / "truth" / "transforms.json").read_text())
    table["frames"] = table["frames"][:1]
    (scene.root / "truth" / "transforms.json").write_text(json.dumps(table))
    result = evaluate_run(run, scene, *parts)
    assert {key: result[key] for key in PERFECT_3D} == dict.fromkeys(PERFECT_3D)
    assert "which leaves the scale of the truth open" in result["points_remark"]
    assert not run.eval_points.exists()
    assert result["pq"] == 1.0  # images are scored all the same


def test_without_true_cameras_there_are_no_camera_figures(tmp_path: Path) -> None:
    root = write_tiny_scene(tmp_path / "scene", truth=True)
    shutil.rmtree(root / "truth")
    assert true_cameras(root) is None
    assert camera_metrics(None) == dict.fromkeys(("auc5", "auc10", "auc30", "ate"))
