"""Class names as queries on published CLIP features of real scenes: plain cosines and the scores of `query --labels`."""

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
SHARED = (0.0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)  # a quarter is what `query --labels` takes
_ARRAYS = ("leaf_feat", "leaf_ind")


def compare(data: Path) -> list[dict[str, float | int | None]]:
    """A row for each part that is taken of what the objects of a scene share (`label_scores`; 0 = plain cosines).

    `shared`, then `miou` and `macc` for each list of classes: means over the scenes. `data` holds `truth/*.npz`,
    `instance_gaussian/*.npz` (`leaf_feat` [m,d], `leaf_ind` [n]) and `text_features.json`.
    """
    rows: list[dict[str, float | int | None]] = []
    for shared in SHARED:
        row: dict[str, float | int | None] = {"shared": shared}
        for size, classes in TEXT_QUERY_CLASSES.items():
            words = _unit(read_queries(data / "text_features.json", classes))
            quality = TextQueryQuality(classes)
            for scene in SCENES:
                found = read_npz(data / "instance_gaussian" / f"{scene}.npz", _ARRAYS, why="features", fix="check the data")
                scores = label_scores(_unit(found["leaf_feat"].astype(np.float64)), words, shared)
                quality.update(scores[found["leaf_ind"].astype(int)], read_point_classes(data / "truth" / f"{scene}.npz"))
            values = quality.compute()
            row |= {f"miou {size}": values["semantic_miou"], f"macc {size}": values["semantic_macc"]}
        rows.append(row)
    return rows


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
