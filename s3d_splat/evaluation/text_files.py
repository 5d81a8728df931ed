"""Text queries in files against truth: the ScanNet protocol with 19, 15 or 10 class names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.point_files import SUFFIXES, check_points, read_arrays, read_point_classes
from s3d_splat.evaluation.scenes import check_paths, scene_files
from s3d_splat.io.labels import read_json
from s3d_splat.metrics.scannet_classes import NAMES, TEXT_QUERY_CLASSES
from s3d_splat.metrics.text_query import TextQueryQuality, cosine_scores

# How arrays are called here, and in the `cluster_lang.npz` of OpenGaussian and InstanceGaussian.
_FEATURES, _ROWS = ("feature", "leaf_feat"), ("feature_index", "leaf_ind")
_FORMAT = "`class_id` [k] with `class_score` [n,k], or `feature` [m,d] with `feature_index` [n] (the row of each point)"


def evaluate_text_files(pred: Path, truth: Path, classes: int, text: Path | None = None) -> dict[str, Any]:
    """Give every point the class of its highest score, and compare with the truth.

    Args:
        pred: npz with `class_id` [k] and `class_score` [n,k]; or with `feature` [m,d] and `feature_index` [n] (or
            `leaf_feat` and `leaf_ind`), where the score is the cosine with the embedding of a class name (index -1: a point
            without a feature); or a folder of them, one a scene.
        truth: npz with `semantic` (or `nyu40`), ScanNet text, or PLY: NYU40 ids, one a point.
        classes: how many class names are asked for: 19, 15 or 10.
        text: JSON with the embedding of every class name, {"wall": [d numbers], ...}; needed for features.

    Returns:
        `semantic_miou semantic_macc semantic_miou_no_guess unscored` (means over scenes, see `TextQueryQuality`),
        `per_class` (over the points of all scenes), the names of the `scenes`, a row for each in `per_scene`.

    Raises:
        S3DError: a file is missing or not as it should be, sizes differ, or a class has no embedding.
    """
    if classes not in TEXT_QUERY_CLASSES:
        raise S3DError(
            f"--classes {classes} is not known", why="the protocol has three lists of classes", fix="use one of 19, 15, 10"
        )
    asked = TEXT_QUERY_CLASSES[classes]
    check_paths(pred, truth)
    queries = None if text is None else read_queries(text, asked)
    total = TextQueryQuality(asked)
    per_scene = []
    for scene in scene_files(pred, truth, SUFFIXES):
        true = read_point_classes(scene.truth)
        scores = read_scores(scene.prediction, asked, queries)
        check_points(scene.prediction, len(scores), scene.truth, len(true))
        per_scene.append({"scene": scene.name, **total.update(scores, true)})
    rows = [{"id": label, "name": NAMES[label], **values} for label, values in total.per_class().items()]
    scenes = [row["scene"] for row in per_scene]
    return {**total.compute(), "classes": classes, "scenes": scenes, "per_scene": per_scene, "per_class": rows}


def read_queries(path: Path, classes: Sequence[int]) -> Float[np.ndarray, "k d"]:
    """The embeddings of the names of some classes; spaces in names do not matter ("showercurtain").

    Raises:
        S3DError: missing, no object of equally long lists of numbers, or a class without an embedding.
    """
    table = read_json(path, why="it holds the embeddings of the class names", fix='write {"wall": [0.1, ...], ...}')
    found = {str(name).replace(" ", ""): vector for name, vector in table.items()} if isinstance(table, dict) else {}
    missing = [NAMES[label] for label in classes if NAMES[label].replace(" ", "") not in found]
    if missing:
        raise S3DError(
            f"{path} has no embedding of {', '.join(missing)}",
            why="every class name is a query",
            fix="add the embeddings, made by the text encoder that belongs to the features",
        )
    try:
        queries = np.array([found[NAMES[label].replace(" ", "")] for label in classes], dtype=np.float64)
    except (TypeError, ValueError):
        queries = np.empty(0)
    if queries.ndim != 2 or queries.shape[1] == 0 or not np.isfinite(queries).all() or not queries.any(axis=1).all():
        raise S3DError(
            f"{path}: the embeddings are no equally long lists of numbers, or one is all 0",
            why="queries are directions in one space",
            fix="write the file again",
        )
    return queries


def read_scores(path: Path, classes: Sequence[int], queries: Float[np.ndarray, "k d"] | None) -> Float[np.ndarray, "n k"]:
    """The scores of every point for some classes.

    Raises:
        S3DError: unreadable, arrays of another kind than promised, a class without a score, features without queries.
    """
    arrays = read_arrays(path, ("class_id", "class_score", *_FEATURES, *_ROWS), f"a prediction is {_FORMAT}")
    if "class_score" in arrays and "class_id" in arrays:
        return _given_scores(path, arrays["class_score"], arrays["class_id"], classes)
    features = next((arrays[name] for name in _FEATURES if name in arrays), None)
    rows = next((arrays[name] for name in _ROWS if name in arrays), None)
    if features is None or rows is None:
        raise _wrong(path, "it has neither scores nor features")
    if features.ndim != 2 or features.dtype.kind != "f" or not np.isfinite(features).all():
        raise _wrong(path, f"the features are {features.dtype} of shape {features.shape}, not finite vectors")
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows.size and not -1 <= rows.min() <= rows.max() < len(features)):
        raise _wrong(path, f"the rows of the points are no whole numbers from -1 to {len(features) - 1}")
    if queries is None:
        raise S3DError(
            f"{path} holds features, and there are no queries",
            why="a feature is compared with the embeddings of the class names",
            fix="name them: --text text_features.json",
        )
    if queries.shape[1] != features.shape[1]:
        raise _wrong(path, f"its features have {features.shape[1]} numbers, the embeddings {queries.shape[1]}")
    known = np.vstack([cosine_scores(features, queries), np.zeros((1, len(queries)))])  # the last row: no feature
    return known[rows.astype(np.int64)]


def _given_scores(
    path: Path, scores: np.ndarray, ids: Int[np.ndarray, " c"], classes: Sequence[int]
) -> Float[np.ndarray, "n k"]:
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or len(np.unique(ids)) != len(ids):
        raise _wrong(path, "`class_id` is no list of different whole numbers")
    if scores.ndim != 2 or scores.shape[1] != len(ids) or scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
        raise _wrong(
            path, f"`class_score` is {scores.dtype} of shape {scores.shape}, not one finite number a point and class"
        )
    column = {int(label): index for index, label in enumerate(ids)}
    missing = [NAMES[label] for label in classes if label not in column]
    if missing:
        raise _wrong(path, f"`class_id` lacks {', '.join(missing)}")
    return scores[:, [column[label] for label in classes]].astype(np.float64)


def _wrong(path: Path, what: str) -> S3DError:
    return S3DError(f"{path}: {what}", why=f"a prediction is {_FORMAT}", fix="write the file again in that format")
