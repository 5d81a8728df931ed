"""Class names as queries on published CLIP features of real scenes: plain cosines against the scores of `query --labels`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s3d_splat.evaluation.point_files import read_point_classes
from s3d_splat.evaluation.text_files import read_queries
from s3d_splat.io.results import read_npz
from s3d_splat.metrics.scannet_classes import TEXT_QUERY_CLASSES
from s3d_splat.metrics.text_query import TextQueryQuality
from s3d_splat.query.scores import label_scores

SCENES = ("scene0062_00", "scene0097_00", "scene0200_00", "scene0347_00")  # whose features belong to their clusters
_ARRAYS = ("leaf_feat", "leaf_ind")


def compare(data: Path) -> list[dict[str, float | int | None]]:
    """A row for each list of classes: `classes plain_miou plain_macc ours_miou ours_macc`, means over the scenes.

    `data` holds `truth/*.npz`, `instance_gaussian/*.npz` (`leaf_feat` [m,d], `leaf_ind` [n]) and `text_features.json`.
    """
    rows: list[dict[str, float | int | None]] = []
    for size, classes in TEXT_QUERY_CLASSES.items():
        words = _unit(read_queries(data / "text_features.json", classes))
        row: dict[str, float | int | None] = {"classes": size}
        for name, shared in (("plain", 0.0), ("ours", None)):
            quality = TextQueryQuality(classes)
            for scene in SCENES:
                found = read_npz(data / "instance_gaussian" / f"{scene}.npz", _ARRAYS, why="features", fix="check the data")
                vectors = _unit(found["leaf_feat"].astype(np.float64))
                scores = label_scores(vectors, words) if shared is None else label_scores(vectors, words, shared)
                quality.update(scores[found["leaf_ind"].astype(int)], read_point_classes(data / "truth" / f"{scene}.npz"))
            values = quality.compute()
            row |= {f"{name}_miou": values["semantic_miou"], f"{name}_macc": values["semantic_macc"]}
        rows.append(row)
    return rows


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
