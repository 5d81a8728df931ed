"""Poses and point clouds in files: figures by hand, several scenes, and every way to get the files wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.geometry_files import evaluate_points_files, evaluate_poses_files
from s3d_splat.io.atomic import write_json
from tests.evaluation.test_scannet_text import write_ply

CENTRES = {"images/a.png": [0.0, 0, 0], "images/b.png": [1.0, 0, 0], "images/c.png": [0.0, 2, 0]}


def rows(centres: dict[str, list[float]]) -> list[dict[str, Any]]:
    poses = {name: np.eye(4) for name in centres}
    for name, centre in centres.items():
        poses[name][:3, 3] = centre
    return [{"file_path": name, "transform_matrix": pose.tolist()} for name, pose in poses.items()]


def write_poses(path: Path, frames: list[dict[str, Any]]) -> Path:
    write_json(path, {"frames": frames})
    return path


def test_poses_are_matched_by_name_in_any_order(tmp_path: Path) -> None:
    truth = write_poses(tmp_path / "truth.json", rows(CENTRES))
    twice = {f"./{name}": [2 * x + 1 for x in centre] for name, centre in reversed(CENTRES.items())}
    result = evaluate_poses_files(write_poses(tmp_path / "pred.json", rows(twice)), truth)
    assert result["auc5"] == 1.0
    assert result["ate"] == pytest.approx(0, abs=1e-9)
    assert (result["cameras"], result["cameras_found"]) == (3, 3)


def test_cameras_that_the_prediction_lacks_are_wrong_in_every_pair(tmp_path: Path) -> None:
    truth = write_poses(tmp_path / "truth.json", rows(CENTRES))
    some = {name: CENTRES[name] for name in list(CENTRES)[:2]} | {"images/other.png": [9.0, 9, 9]}
    result = evaluate_poses_files(write_poses(tmp_path / "pred.json", rows(some)), truth, with_objects=True)
    assert result["auc30"] == pytest.approx(1 / 3)
    assert result["cameras_found"] == 2
    assert [row["is_found"] for row in result["per_image"]] == [True, True, False]
    nobody = evaluate_poses_files(write_poses(tmp_path / "pred.json", []), truth)
    assert (nobody["auc30"], nobody["ate"]) == (0.0, None)


def test_scene_folders_and_folders_of_sequences(tmp_path: Path) -> None:
    for side in ("pred", "truth"):
        write_poses(tmp_path / side / "s1.json", rows(CENTRES))
        write_poses(tmp_path / side / "s2.json", rows(CENTRES))
        write_poses(tmp_path / f"scene_{side}" / "transforms.json", rows(CENTRES))
    several = evaluate_poses_files(tmp_path / "pred", tmp_path / "truth")
    assert [row["scene"] for row in several["per_scene"]] == ["s1", "s2"]
    assert several["auc5"] == 1.0
    assert evaluate_poses_files(tmp_path / "scene_pred", tmp_path / "scene_truth")["auc5"] == 1.0


def _frame(**changes: Any) -> list[dict[str, Any]]:
    return [{**rows(CENTRES)[0], **changes}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"frames": "none"}, "has no frames"),
        ([1], "has no frames"),
        ({"frames": [{"transform_matrix": []}]}, "frame 0 has no file_path"),
        ({"frames": rows(CENTRES) + rows(CENTRES)}, "is there twice"),
        ({"frames": _frame(transform_matrix=[[1, 2], [3]])}, "no 4x4 transform_matrix"),
        ({"frames": _frame(transform_matrix=None)}, "no 4x4 transform_matrix"),
        ({"frames": _frame(transform_matrix=(2 * np.eye(4)).tolist())}, "not rigid"),
        ({"frames": _frame(transform_matrix=np.diag([1.0, 1, -1, 1]).tolist())}, "not rigid"),
    ],
)
def test_malformed_poses_are_explained(tmp_path: Path, content: Any, message: str) -> None:
    truth = write_poses(tmp_path / "truth.json", rows(CENTRES))
    write_json(tmp_path / "pred.json", content)
    with pytest.raises(S3DError, match=message):
        evaluate_poses_files(tmp_path / "pred.json", truth)


def test_a_pose_that_is_not_finite_and_an_empty_truth_are_explained(tmp_path: Path) -> None:
    truth = write_poses(tmp_path / "truth.json", rows(CENTRES))
    broken = truth.read_text().replace("0.0", "NaN", 1)
    (tmp_path / "pred.json").write_text(broken)
    with pytest.raises(S3DError, match="not finite"):
        evaluate_poses_files(tmp_path / "pred.json", truth)
    with pytest.raises(S3DError, match="has no frames"):
        evaluate_poses_files(truth, write_poses(tmp_path / "empty.json", []))
    with pytest.raises(S3DError, match="does not exist"):
        evaluate_poses_files(tmp_path / "none.json", truth)


def cloud(path: Path, height: float, normals: bool = False, kind: str = "f4") -> Path:
    x, y = (axis.reshape(-1) for axis in np.meshgrid(np.arange(6) * 1.0, np.arange(6) * 1.0))
    columns = {"x": x, "y": y, "z": np.full(36, height)}
    columns |= {"nx": np.zeros(36), "ny": np.zeros(36), "nz": np.full(36, -2.0)} if normals else {}
    return write_ply(path, **{name: values.astype(kind) for name, values in columns.items()})


def test_points_by_hand(tmp_path: Path) -> None:
    result = evaluate_points_files(cloud(tmp_path / "p.ply", 0.25), cloud(tmp_path / "t.ply", 0.0, kind="f8"))
    distances = {name: value for name, value in result.items() if name.startswith(("accuracy", "completion"))}
    assert set(distances.values()) == {0.25}
    assert result["normal_consistency_mean"] == pytest.approx(1.0)
    assert result["per_scene"][0]["points_true"] == 36


def test_several_clouds_are_averaged(tmp_path: Path) -> None:
    for scene, height in (("a", 0.25), ("b", 0.5)):
        cloud(tmp_path / "pred" / f"{scene}.ply", height, normals=True)
        cloud(tmp_path / "truth" / f"{scene}.ply", 0.0, normals=True)
    result = evaluate_points_files(tmp_path / "pred", tmp_path / "truth")
    assert result["accuracy_mean"] == pytest.approx((0.25 + 0.5) / 2)
    assert result["normal_consistency_mean"] == 1.0  # of any length and sign


def test_malformed_clouds_are_explained(tmp_path: Path) -> None:
    truth = cloud(tmp_path / "t.ply", 0.0)
    with pytest.raises(S3DError, match="has no x y z"):
        evaluate_points_files(write_ply(tmp_path / "p.ply", x=np.zeros(3)), truth)
    with pytest.raises(S3DError, match="point 0 has x y z that are not finite"):
        evaluate_points_files(cloud(tmp_path / "p.ply", float("nan")), truth)
    (tmp_path / "empty").mkdir()
    with pytest.raises(S3DError, match=r"lacks p.ply"):
        evaluate_points_files(tmp_path / "empty", tmp_path)
    (tmp_path / "p.ply").write_text("no cloud")
    with pytest.raises(S3DError, match="cannot be read as a point cloud"):
        evaluate_points_files(tmp_path / "p.ply", truth)


def test_a_cloud_without_points_has_nothing_to_measure(tmp_path: Path) -> None:
    empty = write_ply(tmp_path / "p.ply", **{axis: np.zeros(0, "f4") for axis in "xyz"})
    assert evaluate_points_files(empty, cloud(tmp_path / "t.ply", 0.0))["accuracy_mean"] is None


def test_a_header_that_promises_more_points_than_there_are_is_refused_before_room_is_made(tmp_path: Path) -> None:
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 4000000000000\n"
    header += "property float x\nproperty float y\nproperty float z\nend_header\n"
    path = tmp_path / "lying.ply"
    path.write_bytes(header.encode() + b"\0" * 12)
    with pytest.raises(S3DError, match=r"cannot be read as a point cloud") as refused:
        evaluate_points_files(path, path)
    assert "promises 48000000000000 bytes" in refused.value.why
