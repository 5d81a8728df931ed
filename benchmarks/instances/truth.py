"""The figures of `figures` for an evaluated run, from its files and the truth of its scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from benchmarks.instances import figures
from s3d_splat.evaluation.point_files import read_point_labels
from s3d_splat.evaluation.truth import true_classes
from s3d_splat.io.images import read_counts
from s3d_splat.io.observations import load_labels
from s3d_splat.io.results import read_npz
from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Scene

NAMES = ("merged", "long_whole", "small_found")


def object_figures(eval_points: Path, scene: Scene) -> dict[str, float | None]:
    """Merged segments, long objects in one segment, small objects found; None where the scene has no labelled points.

    Lengths are those of the points of the truth, sightings those in the training images.
    """
    path = scene.root / "truth" / "points.npz"
    if not (path.exists() and eval_points.exists()):
        return dict.fromkeys(NAMES)
    predicted, truth = read_point_labels(eval_points), read_point_labels(path)
    xyz = read_npz(eval_points, ("xyz",), why="it holds labelled points", fix="evaluate the run again")["xyz"]
    things = _things(truth.instance, truth.semantic, scene)
    length = figures.lengths(xyz, truth.instance)
    small = figures.small_objects(length, figures.sightings(_true_masks(scene)), things)
    return {
        "merged": figures.merged_share(predicted.instance, truth.instance, things),
        "long_whole": figures.whole_share(predicted.instance, truth.instance, figures.long_objects(length, things)),
        "small_found": figures.found_share(predicted.instance, truth.instance, small),
    }


def _things(instance: Int[np.ndarray, " n"], semantic: Int[np.ndarray, " n"] | None, scene: Scene) -> set[int]:
    """Ids of the true instances whose class is a thing."""
    if semantic is None:
        return {entry.id for entry in scene.instances if entry.is_thing}
    classes = [entry.id for entry in true_classes(scene) if entry.is_thing]
    return set(np.unique(instance[np.isin(semantic, classes)]).tolist()) - {0}


def _true_masks(scene: Scene) -> Iterator[Int[np.ndarray, "h w"]]:
    """True ids in the training images; the scene's own where its truth has none."""
    folder = scene.root / "truth" / "instances"
    for frame in frames_of(scene, "train"):
        path = folder / f"{frame_name(frame.file_path)}.png"
        if path.exists():
            yield read_counts(path, "instances", where=frame.file_path).astype(np.int64)
        elif not folder.is_dir() and (labels := load_labels(frame)) is not None:
            yield labels.numpy().astype(np.int64)
