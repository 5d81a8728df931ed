"""Per-point labels in npz files: strict reading, and matching the files of a prediction with those of the truth."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int

from s3d_splat.errors import S3DError
from s3d_splat.metrics.overlaps import PointLabels

SUFFIX = ".npz"


def scene_pairs(prediction: Path, truth: Path) -> list[tuple[str, Path, Path]]:
    """Name, prediction and truth of every scene: of one file each, or of two folders, matched by name without extension.

    Raises:
        S3DError: a path is missing or of another kind, no truth, or a truth without its prediction.
    """
    for path in (prediction, truth):
        if not path.exists():
            raise S3DError(f"{path} does not exist", why="labels are read from it", fix="check the path")
    if prediction.is_dir() != truth.is_dir():
        folder, file = (prediction, truth) if prediction.is_dir() else (truth, prediction)
        raise S3DError(
            f"{folder} is a folder, but {file} is a file",
            why="--pred and --truth are both a file (one scene) or both a folder (one file a scene)",
            fix="name two files or two folders",
        )
    if not truth.is_dir():
        return [(truth.stem, prediction, truth)]
    truths = sorted(path for path in truth.iterdir() if path.suffix == SUFFIX)
    if not truths:
        raise S3DError(f"{truth} holds no {SUFFIX} file", why="the truth has one file a scene", fix="name the right folder")
    missing = [path for path in truths if not (prediction / path.name).is_file()]
    if missing:
        raise S3DError(
            f"{prediction} lacks {missing[0].name} ({len(missing)} of {len(truths)} predictions are missing)",
            why="every scene of the truth counts, so a missing prediction must not go unseen",
            fix="add the file (an empty prediction has instance = 0 everywhere), or take the scene out of the truth",
        )
    return [(path.stem, prediction / path.name, path) for path in truths]


def read_pair(prediction: Path, truth: Path, *, with_classes: bool) -> tuple[PointLabels, PointLabels]:
    """Read the labels of one scene.

    Args:
        with_classes: the protocol needs `semantic` on both sides (a prediction without any instance needs none).

    Raises:
        S3DError: a file is not as it should be, or the two differ in the number of points.
    """
    predicted, true = read_point_labels(prediction), read_point_labels(truth)
    if len(predicted.instance) != len(true.instance):
        raise S3DError(
            f"{prediction} has {len(predicted.instance)} points, but {truth} has {len(true.instance)}",
            why="row i of both must be the same point",
            fix="write one label for every point of the truth, in its order",
        )
    if with_classes and predicted.semantic is None and not predicted.instance.any():
        predicted = PointLabels(predicted.instance, np.zeros_like(predicted.instance), predicted.scores)
    for path, labels in ((prediction, predicted), (truth, true)):
        if with_classes and labels.semantic is None:
            raise S3DError(
                f"{path} has no array `semantic`",
                why="protocol scannet compares instances of one class",
                fix="add the class id of every point, or use --protocol class-agnostic",
            )
    return predicted, true


def read_point_labels(path: Path) -> PointLabels:
    """Read `instance`, and where present `semantic`, `instance_id` and `score`, of an npz file.

    Raises:
        S3DError: unreadable, not an npz, or an array of another type, shape or range.
    """
    if path.suffix != SUFFIX:
        raise S3DError(f"{path} is no {SUFFIX} file", why="per-point labels are read from npz", fix="convert the file")
    arrays = _arrays(path)
    if "instance" not in arrays:
        raise _wrong(path, "it has no array `instance`")
    instance = _labels(path, arrays, "instance")
    semantic = _labels(path, arrays, "semantic") if "semantic" in arrays else None
    if semantic is not None and len(semantic) != len(instance):
        raise _wrong(path, f"`semantic` has {len(semantic)} points, `instance` {len(instance)}")
    return PointLabels(instance, semantic, _scores(path, arrays))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("instance", "semantic", "instance_id", "score") if name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, BadZipFile) as error:  # a bare .npy has no `files`
        raise _wrong(path, f"it cannot be read ({error})") from error


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
        why="labels of points are `instance` [n], optional `semantic` [n], and `instance_id` [k] with `score` [k]",
        fix="write the file again in that format",
    )
