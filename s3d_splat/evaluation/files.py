"""The file-based evaluations: figures of labels that are on disk, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.label_images import classes_of_folders, labelled_images
from s3d_splat.evaluation.point_files import read_pair, scene_pairs
from s3d_splat.metrics.instances3d import INSTANCE_CLASSES, BestOverlap, ClassAgnosticPrecision, ScannetPrecision
from s3d_splat.metrics.panoptic import CocoPanopticQuality, ScenePanopticQuality

INSTANCE_PROTOCOLS = ("scannet", "class-agnostic", "best-overlap")
PANOPTIC_PROTOCOLS = ("coco", "scene")


def evaluate_instances_files(pred: Path, truth: Path, protocol: str, classes: Sequence[int] | None = None) -> dict[str, Any]:
    """Per-point instances of one scene (two files) or several (two folders) against their truth.

    Args:
        pred: npz with `instance` [n], optional `semantic` [n], `instance_id` [k] and `score` [k]; or a folder of them.
        truth: the same without scores; row i is the same point in both.
        protocol: "scannet", "class-agnostic" or "best-overlap".
        classes: class ids that protocol scannet compares; None: the 18 of the ScanNet benchmark.

    Returns:
        The metrics of the protocol (None where there is nothing to measure), `protocol`, the names of the `scenes`, and for
        scannet `per_class`.

    Raises:
        S3DError: a file is missing or not as it should be, sizes differ, or the options make no sense.
    """
    _check_choice("protocol", protocol, INSTANCE_PROTOCOLS)
    _check_classes(protocol, classes)
    metric = _instance_metric(protocol, classes)
    pairs = scene_pairs(pred, truth)
    for _, prediction_path, truth_path in pairs:
        metric.update(*read_pair(prediction_path, truth_path, with_classes=protocol == "scannet"))
    result: dict[str, Any] = {**metric.compute(), "protocol": protocol, "scenes": [name for name, _, _ in pairs]}
    if isinstance(metric, ScannetPrecision):
        result["per_class"] = [{"id": label, **values} for label, values in metric.per_class().items()]
    return result


def evaluate_panoptic_files(pred: Path, truth: Path, protocol: str) -> dict[str, Any]:
    """Panoptic images against their truth.

    Args:
        pred: folder with `semantics/NAME.png` and `instances/NAME.png` (uint16).
        truth: the same, and `classes.json`; without it a class is a thing if a true pixel of it has an instance.
        protocol: "coco" or "scene".

    Returns:
        The metrics of the protocol (None: nothing to measure), `protocol`, the number of `images`, `per_class`.

    Raises:
        S3DError: a file is missing or not as it should be, or sizes differ.
    """
    _check_choice("protocol", protocol, PANOPTIC_PROTOCOLS)
    classes = classes_of_folders(pred, truth)
    metric = CocoPanopticQuality(classes) if protocol == "coco" else ScenePanopticQuality(classes)
    images = 0
    for image in labelled_images(pred, truth):
        metric.update(*image.labels)
        images += 1
    return {**metric.compute(), "protocol": protocol, "images": images, "per_class": metric.per_class()}


def _instance_metric(
    protocol: str, classes: Sequence[int] | None
) -> ScannetPrecision | ClassAgnosticPrecision | BestOverlap:
    if protocol == "scannet":
        return ScannetPrecision(INSTANCE_CLASSES if classes is None else classes)
    return ClassAgnosticPrecision() if protocol == "class-agnostic" else BestOverlap()


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise S3DError(
            f"--{option} {value} is not known", why="it decides whose rules count", fix=f"use one of {', '.join(choices)}"
        )


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
