"""Per-point labels in npz, ScanNet text and labelled PLY: strict reading."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int

from s3d_splat.errors import S3DError
from s3d_splat.evaluation import ply_files, scannet_text
from s3d_splat.metrics.overlaps import PointLabels, Prediction

SUFFIXES = (".npz", ".txt", ".ply")
_ARRAYS = ("instance", "semantic", "nyu40", "instance_id", "score")
_FORMAT = "labels of points are `instance` [n], optional `semantic` [n], and `instance_id` [k] with `score` [k]"


def read_pair(prediction: Path, truth: Path, *, with_classes: bool) -> tuple[Prediction, PointLabels]:
    """Read the labels of one scene.

    Args:
        with_classes: the protocol needs `semantic` on both sides (a prediction without any instance needs none).

    Raises:
        S3DError: a file is not as it should be, or the two differ in the number of points.
    """
    true = read_point_labels(truth)
    _check_classes(truth, true, with_classes)
    if prediction.suffix == ".txt":
        return scannet_text.read_prediction(prediction, len(true.instance)), true
    predicted = read_point_labels(prediction)
    check_points(prediction, len(predicted.instance), truth, len(true.instance))
    if predicted.semantic is None and not predicted.instance.any():
        predicted = PointLabels(predicted.instance, np.zeros_like(predicted.instance), predicted.scores)
    _check_classes(prediction, predicted, with_classes)
    return predicted, true


def read_point_labels(path: Path) -> PointLabels:
    """Read `instance`, and where present `semantic`, `instance_id` and `score`, of an npz, a text or a PLY file.

    Raises:
        S3DError: unreadable, of another kind, or an array of another type, shape or range.
    """
    if path.suffix == ".txt":
        return scannet_text.read_truth(path)
    if path.suffix == ".ply":
        return ply_files.read_labels(path)
    check_suffix(path)
    arrays = read_arrays(path, _ARRAYS, _FORMAT)
    if "instance" not in arrays:
        raise _wrong(path, "it has no array `instance`")
    instance = _labels(path, arrays, "instance")
    semantic = _labels(path, arrays, "semantic") if "semantic" in arrays else None
    if semantic is not None and len(semantic) != len(instance):
        raise _wrong(path, f"`semantic` has {len(semantic)} points, `instance` {len(instance)}")
    return PointLabels(instance, semantic, _scores(path, arrays))


def read_point_classes(path: Path) -> Int[np.ndarray, " n"]:
    """The class of every point: `semantic` (or `nyu40`) of an npz, the classes of a text truth, or those of a PLY.

    Raises:
        S3DError: unreadable, of another kind, or without classes.
    """
    if path.suffix == ".npz":
        arrays = read_arrays(path, _ARRAYS, _FORMAT)
        for name in ("semantic", "nyu40"):
            if name in arrays:
                return _labels(path, arrays, name)
        raise _wrong(path, "it has no array `semantic`")
    if path.suffix == ".ply":
        return ply_files.read_classes(path)
    check_suffix(path)
    return scannet_text.read_classes(path)


def check_points(prediction: Path, predicted: int, truth: Path, true: int) -> None:
    """Raises: S3DError: the two files differ in the number of points."""
    if predicted != true:
        raise S3DError(
            f"{prediction} has {predicted} points, but {truth} has {true}",
            why="row i of both must be the same point",
            fix="write one label for every point of the truth, in its order",
        )


def check_suffix(path: Path) -> None:
    """Raises: S3DError: the name is not that of a file of labels."""
    if path.suffix not in SUFFIXES:
        raise S3DError(
            f"{path} is no .npz, .txt or .ply file", why="labels of points are read from these", fix="convert the file"
        )


def _check_classes(path: Path, labels: PointLabels, with_classes: bool) -> None:
    if with_classes and labels.semantic is None:
        raise S3DError(
            f"{path} has no array `semantic`",
            why="protocol scannet compares instances of one class",
            fix="add the class id of every point, or use --protocol class-agnostic",
        )


def read_arrays(path: Path, names: Collection[str], why: str) -> dict[str, np.ndarray]:
    """Those of some arrays that an npz file has, without unpickling anything.

    Raises:
        S3DError: it cannot be read, or holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name.removesuffix(".npy"): name for name in file.files}
            return {name: file[stored[name]] for name in names if name in stored}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, BadZipFile, zlib.error) as error:
        # AttributeError: a bare .npy has no `files`; zlib.error: the archive is sound, what is packed in it is not
        raise S3DError(f"{path}: it cannot be read ({error})", why=why, fix="write the file again in that format") from error


def _labels(path: Path, arrays: dict[str, np.ndarray], name: str) -> Int[np.ndarray, " n"]:
    array = arrays[name]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise _wrong(path, f"`{name}` is {array.dtype} of shape {array.shape}, not one whole number a row")
    if array.size and (int(array.min()) < 0 or int(array.max()) > np.iinfo(np.int32).max):
        raise _wrong(path, f"`{name}` holds {int(array.min())}..{int(array.max())}, not ids from 0 (none) up")
    return array.astype(np.int64)


def _scores(path: Path, arrays: dict[str, np.ndarray]) -> dict[int, float]:
    if "score" not in arrays and "instance_id" not in arrays:
        return {}
    if "score" not in arrays or "instance_id" not in arrays:
        raise _wrong(path, "it has only one of `instance_id` and `score`")
    ids, score = _labels(path, arrays, "instance_id"), arrays["score"]
    if score.shape != ids.shape or score.dtype.kind not in "fiu" or not np.isfinite(score).all():
        raise _wrong(path, f"`score` is {score.dtype} of shape {score.shape}, not one finite number for each `instance_id`")
    if len(np.unique(ids)) != len(ids):
        raise _wrong(path, "`instance_id` holds an id twice")
    return dict(zip(ids.tolist(), score.astype(np.float64).tolist(), strict=True))


def _wrong(path: Path, what: str) -> S3DError:
    return S3DError(
        f"{path}: {what}",
        why=_FORMAT,
        fix="write the file again in that format",
    )
