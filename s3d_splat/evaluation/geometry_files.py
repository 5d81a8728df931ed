"""Camera poses and point clouds in files against truth."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.ply_files import read_cloud
from s3d_splat.evaluation.scenes import check_paths, scene_files
from s3d_splat.io.labels import read_json
from s3d_splat.metrics.pointcloud import CloudAccuracy
from s3d_splat.metrics.trajectory import PoseAccuracy, centre_errors

_ROTATION_TOLERANCE = 1e-3  # largest deviation of R^T R from the identity that is taken for rounding


def evaluate_poses_files(pred: Path, truth: Path, *, with_objects: bool = False) -> dict[str, Any]:
    """Camera poses against true ones, matched by `file_path`.

    Args:
        pred: transforms.json (`frames` with `file_path` and `transform_matrix`, camera to world), the folder of one, or a
            folder of such files, one a sequence.
        truth: the same. Both sides have the same camera axes; which ones does not matter.
        with_objects: adds `per_image`, the distance of each camera from the true one after the similarity fit.

    Returns:
        `auc5 auc10 auc30` over the pairs of all sequences, `ate` (the mean over sequences), the numbers of true and of
        found `cameras` and `cameras_found`, the names of the `scenes`, a row for each in `per_scene`.

    Raises:
        S3DError: a file is missing or malformed, a pose is not finite or not rigid, a frame is there twice.
    """
    check_paths(pred, truth)
    total = PoseAccuracy()
    rows: dict[str, list[dict[str, Any]]] = {"per_scene": [], "per_image": []}
    for scene in scene_files(_named(pred), _named(truth), (".json",)):
        true, predicted = read_poses(scene.truth), read_poses(scene.prediction, may_be_empty=True)
        known = np.array([name in predicted for name in true])
        poses = np.stack([predicted.get(name, np.eye(4)) for name in true])
        alone = PoseAccuracy()
        alone.update(poses, np.stack(list(true.values())), known)
        total.merge(alone)
        counts = {"cameras": len(true), "cameras_found": int(known.sum())}
        rows["per_scene"].append({"scene": scene.name, **alone.compute(), **counts})
        rows["per_image"] += [{"scene": scene.name, **row} for row in _camera_rows(predicted, true)]
    if not with_objects:
        del rows["per_image"]
    sums = {name: sum(row[name] for row in rows["per_scene"]) for name in ("cameras", "cameras_found")}
    return {**total.compute(), **sums, "scenes": [row["scene"] for row in rows["per_scene"]], **rows}


def evaluate_points_files(pred: Path, truth: Path) -> dict[str, Any]:
    """Point clouds against true ones, without any alignment.

    Args:
        pred: PLY with x y z and, if its normals are to be used, nx ny nz; or a folder of them, one a scene.
        truth: the same, in the same unit of length.

    Returns:
        `accuracy_* completion_* normal_consistency_*` (see `compare_clouds`), each the mean over scenes, the names of the
        `scenes`, a row for each in `per_scene` with the numbers of its points.

    Raises:
        S3DError: a file is missing, no PLY, or holds values that are not finite.
    """
    total = CloudAccuracy()
    rows = []
    for scene in scene_files(pred, truth, (".ply",)):
        predicted, true = read_cloud(scene.prediction), read_cloud(scene.truth)
        values = total.update(predicted.points, true.points, predicted.normals, true.normals)
        counts = {"points_predicted": len(predicted.points), "points_true": len(true.points)}
        rows.append({"scene": scene.name, **values, **counts})
    return {**total.compute(), "scenes": [row["scene"] for row in rows], "per_scene": rows}


def read_poses(path: Path, *, may_be_empty: bool = False) -> dict[str, Float[np.ndarray, "4 4"]]:
    """Camera-to-world poses by the (normalised) `file_path` of their frames, in the order of the file.

    Raises:
        S3DError: missing, malformed, a frame twice, or a pose that is not finite or not rigid.
    """
    meta = read_json(path, why="poses are read from it", fix="name a transforms.json")
    rows = meta.get("frames") if isinstance(meta, dict) else None
    if not isinstance(rows, list) or (not rows and not may_be_empty):
        raise S3DError(f"{path} has no frames", why="poses are compared frame by frame", fix="add a list `frames`")
    poses: dict[str, Float[np.ndarray, "4 4"]] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("file_path"), str):
            raise S3DError(
                f"{path}: frame {index} has no file_path", why="frames are matched by it", fix="add its file_path"
            )
        name = posixpath.normpath(row["file_path"])
        if name in poses:
            raise S3DError(f"{path}: {name} is there twice", why="a frame has one pose", fix="remove one of the two")
        poses[name] = _pose(row.get("transform_matrix"), f"{path}: frame {index} ({name})")
    return poses


def _named(path: Path) -> Path:
    """The transforms.json of a scene folder, or the path itself."""
    return path / "transforms.json" if (path / "transforms.json").is_file() else path


def _pose(value: Any, where: str) -> Float[np.ndarray, "4 4"]:
    try:
        pose = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        pose = np.empty(0)
    if pose.shape not in ((3, 4), (4, 4)):
        raise S3DError(f"{where} has no 4x4 transform_matrix", why="it is the pose", fix="write four rows of four numbers")
    rotation = pose[:3, :3]
    if not np.isfinite(pose).all():
        raise S3DError(
            f"{where} has a pose that is not finite", why="it cannot be compared", fix="leave frames without a pose out"
        )
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise S3DError(
            f"{where} has a pose that is not rigid",
            why="a camera is rotated and moved, never scaled, sheared or mirrored",
            fix="divide the scale out of the rotation",
        )
    return np.vstack([pose[:3], [0.0, 0.0, 0.0, 1.0]])


def _camera_rows(
    predicted: dict[str, Float[np.ndarray, "4 4"]], true: dict[str, Float[np.ndarray, "4 4"]]
) -> list[dict[str, Any]]:
    both = [name for name in true if name in predicted]
    errors: dict[str, float] = {}
    if both:
        centres = (np.stack([side[name][:3, 3] for name in both]) for side in (predicted, true))
        errors = dict(zip(both, centre_errors(*centres).tolist(), strict=True))
    return [{"name": name, "is_found": name in predicted, "centre_error": errors.get(name)} for name in true]
