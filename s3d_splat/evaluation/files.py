"""Instances of points in files against truth: one scene or several, one visit or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.point_files import SUFFIXES, check_points, check_suffix, read_pair, read_point_labels
from s3d_splat.evaluation.scenes import scene_files, scene_folders
from s3d_splat.metrics.instances3d import BestOverlap, ClassAgnosticPrecision, ScannetPrecision
from s3d_splat.metrics.object_table import object_table
from s3d_splat.metrics.overlaps import PointLabels, Prediction, count_predictions
from s3d_splat.metrics.scannet_classes import INSTANCE_CLASSES, NAMES
from s3d_splat.metrics.temporal import TemporalPrecision

INSTANCE_PROTOCOLS = ("scannet", "class-agnostic", "best-overlap")


def evaluate_instances_files(
    pred: Path, truth: Path, protocol: str, classes: Sequence[int] | None = None, *, with_objects: bool = False
) -> dict[str, Any]:
    """Per-point instances of one scene (two files) or several (two folders) against their truth.

    Args:
        pred: npz with `instance` [n], optional `semantic` [n], `instance_id` [k] and `score` [k]; the text file of the
            ScanNet benchmark with its masks; a PLY with these vertex properties; or a folder of them.
        truth: the same without scores; row i is the same point in both.
        protocol: "scannet", "class-agnostic" or "best-overlap".
        classes: class ids that protocol scannet compares; None: the 18 of the ScanNet benchmark.
        with_objects: adds `per_object`, what became of each true instance.

    Returns:
        The metrics of the protocol (None where there is nothing to measure), the number of predicted `segments` and true
        `objects`, `protocol`, the names of the `scenes`, a row for each in `per_scene`, and for scannet `per_class`.
        Protocol best-overlap, which hides over-segmentation, has class-agnostic `ap ap50 ap25` beside it.

    Raises:
        S3DError: a file is missing or not as it should be, sizes differ, or the options make no sense.
    """
    check_choice("protocol", protocol, INSTANCE_PROTOCOLS)
    _check_classes(protocol, classes)
    check_one_file(pred, truth)
    total = _InstanceScores(protocol, classes)
    per_scene: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for scene in scene_files(pred, truth, SUFFIXES):
        pair = read_pair(scene.prediction, scene.truth, with_classes=protocol == "scannet")
        alone = _InstanceScores(protocol, classes)
        alone.update(*pair)
        total.merge(alone)
        per_scene.append({"scene": scene.name, **alone.compute()})
        if with_objects:
            objects += [{"scene": scene.name, **row} for row in object_rows(*pair)]
    scenes = [row["scene"] for row in per_scene]
    result: dict[str, Any] = {**total.compute(), "protocol": protocol, "scenes": scenes, "per_scene": per_scene}
    if isinstance(total.metric, ScannetPrecision):
        rows = total.metric.per_class()
        result["per_class"] = [{"id": label, "name": NAMES.get(label, ""), **values} for label, values in rows.items()]
    return result | ({"per_object": objects} if with_objects else {})


def evaluate_temporal_files(pred: Path, truth: Path, *, with_objects: bool = False) -> dict[str, Any]:
    """Instances over several visits of a place, where an id is the same object in every visit.

    Args:
        pred: a folder with one npz (or PLY) a visit, or a folder of such folders, one a place.
        truth: the same, with the same names.
        with_objects: adds `per_object`: every true instance in every visit.

    Returns:
        `t_ap t_ap50 t_ap25`, the names of the `scenes` and a row for each in `per_scene`, with its number of `stages`.

    Raises:
        S3DError: a file is missing or not as it should be, or sizes differ.
    """
    total = TemporalPrecision()
    per_scene: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for scene in scene_folders(pred, truth, _holds_labels):
        stages = scene_files(scene.prediction, scene.truth, (".npz", ".ply"))
        pairs = [_stage(stage.prediction, stage.truth) for stage in stages]
        alone = TemporalPrecision()
        alone.update(pairs)
        total.merge(alone)
        per_scene.append({"scene": scene.name, **alone.compute(), "stages": len(stages)})
        for stage, pair in zip(stages, pairs, strict=True):
            objects += [{"scene": scene.name, "stage": stage.name, **row} for row in object_rows(*pair)]
    result = {**total.compute(), "scenes": [row["scene"] for row in per_scene], "per_scene": per_scene}
    return result | ({"per_object": objects} if with_objects else {})


def object_rows(prediction: Prediction, truth: PointLabels) -> list[dict[str, Any]]:
    """What became of each true instance of a scene, see `ObjectRow`."""
    return [
        {"id": row.truth_id, **{k: v for k, v in vars(row).items() if k != "truth_id"}}
        for row in object_table(prediction, truth)
    ]


class _InstanceScores:
    """The metric of a protocol, and how many segments were predicted for how many objects."""

    def __init__(self, protocol: str, classes: Sequence[int] | None) -> None:
        self.metric: ScannetPrecision | ClassAgnosticPrecision | BestOverlap
        if protocol == "scannet":
            self.metric = ScannetPrecision(INSTANCE_CLASSES if classes is None else classes)
        else:
            self.metric = ClassAgnosticPrecision() if protocol == "class-agnostic" else BestOverlap()
        self.beside = ClassAgnosticPrecision() if protocol == "best-overlap" else None
        self.segments, self.objects = 0, 0

    def update(self, prediction: Prediction, truth: PointLabels) -> None:
        self.metric.update(prediction, truth)
        if self.beside is not None:
            self.beside.update(prediction, truth)
        found = count_predictions(prediction, truth.instance)
        self.segments += len(found.ids)
        self.objects += int((found.labels > 0).sum())

    def merge(self, other: _InstanceScores) -> None:
        self.metric.merge(other.metric)  # type: ignore[arg-type] # of the same protocol
        if self.beside is not None and other.beside is not None:
            self.beside.merge(other.beside)
        self.segments += other.segments
        self.objects += other.objects

    def compute(self) -> dict[str, float | None]:
        beside = {} if self.beside is None else self.beside.compute()
        shown = {name: value for name, value in beside.items() if name in ("ap", "ap50", "ap25")}
        return {**self.metric.compute(), **shown, "segments": self.segments, "objects": self.objects}


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises: S3DError: an option has none of its values."""
    if value not in choices:
        raise S3DError(
            f"--{option} {value} is not known", why="it decides whose rules count", fix=f"use one of {', '.join(choices)}"
        )


def check_one_file(*paths: Path) -> None:
    """Raises: S3DError: a path that is a file has another suffix than labels of points have."""
    for path in paths:
        if path.is_file():
            check_suffix(path)


def _stage(prediction: Path, truth: Path) -> tuple[PointLabels, PointLabels]:
    pair = read_point_labels(prediction), read_point_labels(truth)
    check_points(prediction, len(pair[0].instance), truth, len(pair[1].instance))
    return pair


def _holds_labels(folder: Path) -> bool:
    return any(path.suffix in (".npz", ".ply") for path in folder.iterdir())


def _check_classes(protocol: str, classes: Sequence[int] | None) -> None:
    if classes is None:
        return
    if protocol != "scannet":
        raise S3DError(
            f"--classes means nothing to protocol {protocol}",
            why="only protocol scannet looks at classes",
            fix="leave --classes out, or use --protocol scannet",
        )
    if not classes or min(classes) < 1 or len(set(classes)) != len(classes):
        raise S3DError(
            f"--classes {','.join(map(str, classes))} is no list of class ids",
            why="class ids are positive (0 is unlabelled), each named once",
            fix="write them as --classes 3,4,5",
        )
