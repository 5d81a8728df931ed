"""Images in folders against truth: panoptic labels, ids over a video, colours."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.details import mean_over_scenes
from s3d_splat.evaluation.files import check_choice
from s3d_splat.evaluation.label_images import (
    classes_of_folders,
    holds_labels,
    labelled_images,
    read_labels,
    read_size,
    shared_names,
)
from s3d_splat.evaluation.scenes import ScenePair, scene_folders
from s3d_splat.io.labels import read_classes, read_instances
from s3d_splat.metrics.contingency import contingency
from s3d_splat.metrics.panoptic import CocoPanopticQuality, ScenePanopticQuality
from s3d_splat.metrics.tracks import TrackQuality
from s3d_splat.types import ClassInfo

PANOPTIC_PROTOCOLS = ("coco", "scene")


def evaluate_panoptic_files(pred: Path, truth: Path, protocol: str, *, with_objects: bool = False) -> dict[str, Any]:
    """Panoptic images against their truth.

    Args:
        pred: folder with `semantics/NAME.png` and `instances/NAME.png` (uint16), or a folder of such folders, one a scene.
        truth: the same, and `classes.json` (of each scene, or one of all); without it a class is a thing if a true pixel of
            it has an instance.
        protocol: "coco" or "scene".
        with_objects: adds `per_object`, what became of each true segment (coco: of each image).

    Returns:
        The metrics of the protocol (None: nothing to measure), `protocol`, the number of `images`, the names of the
        `scenes`, a row for each in `per_scene`, `per_class`. Over scenes, `coco` adds up the counts of all images, `scene`
        takes the mean of every metric.

    Raises:
        S3DError: a file is missing or not as it should be, or sizes differ.
    """
    check_choice("protocol", protocol, PANOPTIC_PROTOCOLS)
    scenes = scene_folders(pred, truth, holds_labels)
    tables = [classes_of_folders(scene.prediction, scene.truth, truth) for scene in scenes]
    has_tables = any((folder / "classes.json").exists() for folder in (truth, *(scene.truth for scene in scenes)))
    classes = _one_table(truth, tables, has_tables) if protocol == "coco" else ()
    total = CocoPanopticQuality(classes)
    rows: dict[str, list[dict[str, Any]]] = {"per_scene": [], "per_class": [], "per_object": []}
    images = 0
    for scene, table in zip(scenes, tables, strict=True):
        metric = CocoPanopticQuality(classes) if protocol == "coco" else ScenePanopticQuality(table)
        of_scene = 0
        for image in labelled_images(scene.prediction, scene.truth):
            metric.update(*image.labels)
            of_scene += 1
            if with_objects and isinstance(metric, CocoPanopticQuality):
                segments = metric.per_segment(*image.labels)
                rows["per_object"] += [{"scene": scene.name, "image": image.name, **row} for row in segments]
        images += of_scene
        rows["per_scene"].append({"scene": scene.name, **metric.compute(), "images": of_scene})
        if isinstance(metric, CocoPanopticQuality):
            total.merge(metric)
        else:
            where = {"scene": scene.name} if len(scenes) > 1 else {}
            rows["per_class"] += [where | row for row in metric.per_class()]
            rows["per_object"] += [{"scene": scene.name, **row} for row in metric.per_segment()] if with_objects else []
    metrics = total.compute()
    if protocol == "scene":
        metrics = mean_over_scenes([_without(row, "scene", "images") for row in rows["per_scene"]])
    else:
        rows["per_class"] = total.per_class()
    if not with_objects:
        del rows["per_object"]
    return {**metrics, "protocol": protocol, "images": images, "scenes": [scene.name for scene in scenes], **rows}


def evaluate_tracks_files(pred: Path, truth: Path, *, with_objects: bool = False) -> dict[str, Any]:
    """Whether objects keep their ids over the frames of a video, in the order of their names.

    Args:
        pred: folder with `instances/NAME.png` (uint16), or a folder of such folders, one a video.
        truth: the same; `instances.json`, or `classes.json` with `semantics/`, says which ids are things.
        with_objects: adds `per_object`, what became of each true thing.

    Returns:
        `idf1 id_kept` over all videos, the number of `images`, the names of the `scenes`, a row for each in `per_scene`.

    Raises:
        S3DError: a file is missing or not as it should be, or sizes differ.
    """
    total = TrackQuality()
    rows: dict[str, list[dict[str, Any]]] = {"per_scene": [], "per_object": []}
    images = 0
    for scene in scene_folders(pred, truth, lambda folder: (folder / "instances").is_dir()):
        names = shared_names(scene.prediction, scene.truth, "instances")
        metric = TrackQuality(_things(scene, names, truth))
        for name in names:
            size = read_size(scene.truth / "instances" / f"{name}.png")
            folders = (scene.prediction, scene.truth)
            metric.update(*(read_labels(folder / "instances" / f"{name}.png", "instances", size) for folder in folders))
        metric.end_video()
        total.merge(metric)
        images += len(names)
        rows["per_scene"].append({"scene": scene.name, **metric.compute(), "images": len(names)})
        rows["per_object"] += [{"scene": scene.name, **vars(track)} for track in metric.tracks]
    if not with_objects:
        del rows["per_object"]
    return {**total.compute(), "images": images, "scenes": [row["scene"] for row in rows["per_scene"]], **rows}


def _things(scene: ScenePair, names: list[str], parent: Path) -> set[int] | None:
    """The true ids that are things; None (all) where nothing says so."""
    if (scene.truth / "instances.json").exists():
        return {entry.id for entry in read_instances(scene.truth / "instances.json") if entry.is_thing}
    table = next((path for folder in (scene.truth, parent) if (path := folder / "classes.json").exists()), None)
    if table is None or not (scene.truth / "semantics").is_dir():
        return None
    things = {entry.id for entry in read_classes(table) if entry.is_thing}
    pixels: dict[int, Counter[int]] = {}
    shared_names(scene.truth, scene.truth, "semantics", names)
    for name in names:
        size = read_size(scene.truth / "instances" / f"{name}.png")
        instances = read_labels(scene.truth / "instances" / f"{name}.png", "instances", size)
        counted = contingency(
            instances.ravel(), read_labels(scene.truth / "semantics" / f"{name}.png", "semantics", size).ravel()
        )
        for row, column in np.argwhere(counted.counts > 0):
            votes = pixels.setdefault(int(counted.row_labels[row]), Counter())
            votes[int(counted.column_labels[column])] += int(counted.counts[row, column])
    found = set()
    for label, votes in pixels.items():
        del votes[0]  # unlabelled pixels have no say
        if votes and min(votes, key=lambda class_id: (-votes[class_id], class_id)) in things:
            found.add(label)
    return found


def _one_table(truth: Path, tables: list[tuple[ClassInfo, ...]], has_tables: bool) -> tuple[ClassInfo, ...]:
    """The classes of all scenes together; what only the images tell may differ, and a class with instances is a thing."""
    found: dict[int, ClassInfo] = {}
    for entry in (entry for table in tables for entry in table):
        other = found.setdefault(entry.id, entry)
        if other.is_thing != entry.is_thing and has_tables:
            raise S3DError(
                f"{truth}: class {entry.id} is a thing in one scene and stuff in another",
                why="a class is compared in one way",
                fix=f"make the scenes agree, or write one {truth / 'classes.json'} for all",
            )
        found[entry.id] = entry if entry.is_thing else other
    return tuple(found[label] for label in sorted(found))


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
