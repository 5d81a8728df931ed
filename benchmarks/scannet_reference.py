"""What does best-overlap hide? Published predictions of InstanceGaussian on ScanNet, by every protocol; text queries beside.

Reads `scannet5/` of the folder that the environment variable S3D_DATA names; tables on standard error, JSON on standard
output. Best-overlap gives every object its best segment and never looks at the others; average precision does. Text queries
run on the four scenes whose CLIP features belong to their clusters; the protocol's own code also drops the features of
clusters that fewer than two masks agree with, which is measured as well.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.text_files import read_queries
from s3d_splat.metrics.instances3d import BestOverlap, ClassAgnosticPrecision
from s3d_splat.metrics.overlaps import PointLabels
from s3d_splat.metrics.scannet_classes import TEXT_QUERY_CLASSES
from s3d_splat.metrics.text_query import TextQueryQuality, cosine_scores

SCENES = ("scene0000_00", "scene0062_00", "scene0097_00", "scene0200_00", "scene0347_00")
TEXT_SCENES = SCENES[1:]  # the features of scene0000_00 are of another run than its clusters
MINIMUM_VIEWS = 2

Row = dict[str, Any]


def instance_rows(data: Path) -> list[Row]:
    """Per scene and over all: best-overlap, class-agnostic precision, numbers of segments and objects."""
    overlap, precision = BestOverlap(), ClassAgnosticPrecision()
    rows: list[Row] = []
    for scene in SCENES:
        prediction = PointLabels(_load(data, "instance_gaussian", scene)["cluster"].astype(np.int64) + 1)  # 0 is one as well
        truth = PointLabels(_load(data, "truth", scene)["instance"].astype(np.int64))
        alone = BestOverlap(), ClassAgnosticPrecision()
        for metric in alone:
            metric.update(prediction, truth)
        overlap.merge(alone[0])
        precision.merge(alone[1])
        counts = {
            "segments": len(np.unique(prediction.instance)),
            "objects": len(np.unique(truth.instance[truth.instance > 0])),
        }
        rows.append({"scene": scene, **_figures(*alone), **counts})
    counts = {name: sum(row[name] for row in rows) for name in ("segments", "objects")}
    return [*rows, {"scene": "all", **_figures(overlap, precision), **counts}]


def text_rows(data: Path, minimum_views: int) -> list[Row]:
    """Per number of classes and scene, and the mean over the scenes."""
    rows: list[Row] = []
    for count, classes in TEXT_QUERY_CLASSES.items():
        queries = read_queries(data / "text_features.json", classes)
        total = TextQueryQuality(classes)
        for scene in TEXT_SCENES:
            clusters = _load(data, "instance_gaussian", scene)
            is_seen = clusters["occu_count"] >= minimum_views
            scores = cosine_scores(clusters["leaf_feat"] * is_seen[:, None], queries)[clusters["leaf_ind"]]
            values = total.update(scores, _load(data, "truth", scene)["nyu40"].astype(np.int64))
            rows.append({"classes": count, "scene": scene, **values})
        rows.append({"classes": count, "scene": "mean", **total.compute()})
    return rows


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows with four decimals."""
    result = Table(title=title, title_justify="left", box=None)
    for name in rows[0]:
        result.add_column(name, justify="left" if name == "scene" else "right")
    for row in rows:
        result.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()))
    return result


def _figures(overlap: BestOverlap, precision: ClassAgnosticPrecision) -> Row:
    names = ("ap", "ap50", "ap25", "ar", "precision50")
    return overlap.compute() | {name: precision.compute()[name] for name in names}


def _load(data: Path, folder: str, scene: str) -> dict[str, np.ndarray]:
    with np.load(data / folder / f"{scene}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def main() -> None:
    """Print the tables and the JSON."""
    data = Path(os.environ.get("S3D_DATA", "")) / "scannet5"
    if not data.is_dir():
        raise S3DError(f"{data} is no folder", why="the scenes are read from it", fix="set S3D_DATA to the folder above it")
    result = {
        "instances": instance_rows(data),
        "text_query": text_rows(data, 0),
        "text_query_without_rarely_seen_clusters": text_rows(data, MINIMUM_VIEWS),
    }
    console = Console(stderr=True, width=125)
    console.print(
        table(
            "Instances: best-overlap (miou m50 m25), class-agnostic precision, and the number of segments",
            result["instances"],
        )
    )
    console.print(table("Text queries: every cluster", result["text_query"]))
    console.print(
        table("Text queries: clusters that two masks agree with", result["text_query_without_rarely_seen_clusters"])
    )
    print(json.dumps(result, indent=1, allow_nan=False))


if __name__ == "__main__":
    try:
        main()
    except S3DError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
