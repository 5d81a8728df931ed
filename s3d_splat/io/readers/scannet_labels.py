"""What ScanNet's 2D instance masks mean: id k is object k - 1 of the aggregation, whose label is free text.

Without the aggregation, `label-filt/` gives the class of each instance as the data set's raw number, and the table
`scannetv2-labels.combined.tsv`, in the folder or above it, its name.
"""

from __future__ import annotations

import csv
import glob
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing
from s3d_splat.io.labels import read_json
from s3d_splat.io.readers.checks import mask_ids, unnamed_objects
from s3d_splat.io.readers.label_images import class_votes, instances_of_classes
from s3d_splat.types import CaptureView, InstanceInfo

_TABLE = "scannetv2-labels.combined.tsv"
_LARGEST_MASK = 1 << 26  # bytes


def read_objects(folder: Path, views: Sequence[CaptureView], scene: str = "") -> tuple[InstanceInfo, ...]:
    """The rows of the ids that occur in the masks of the views.

    Args:
        scene: what the name of the aggregation begins with, where those of several scenes may lie in the folder.

    Raises:
        S3DError: a mask or a table cannot be read.
    """
    masks = [view.instance_path for view in views if view.instance_path is not None]
    aggregations = sorted(
        folder.glob(f"{glob.escape(scene)}*.aggregation.json"), key=lambda path: (len(path.name), path.name)
    )
    if not masks:
        return ()
    if aggregations:
        return _aggregated(mask_ids(masks), aggregations[0])
    pairs = [(mask, classes) for mask in masks if (classes := _beside(mask)) is not None]
    return instances_of_classes(class_votes(pairs), _names(folder)) if len(pairs) == len(masks) else unnamed_objects(masks)


def find_masks(folder: Path, scene: str, numbers: Sequence[int], work: Path) -> dict[int, Path]:
    """The instance masks of frames of a recording: in `instance-filt/` beside it, or in the archive that the data set ships,
    from which they are unpacked to `work/instance-filt`.

    Raises:
        S3DError: the archive is damaged, or holds files that are no masks.
    """
    names = {number: f"instance-filt/{number}.png" for number in numbers}
    if (folder / "instance-filt").is_dir():
        return {number: folder / name for number, name in names.items() if (folder / name).is_file()}
    archive = folder / f"{scene}_2d-instance-filt.zip"
    if not archive.is_file():
        return {}
    try:
        with zipfile.ZipFile(archive) as packed:
            there = set(packed.namelist())
            found = {number: name for number, name in names.items() if name in there}
            for name in found.values():
                _unpack(packed, name, work / name)
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise S3DError(f"{archive} cannot be read", why=str(error), fix="download it again, or remove it") from error
    return {number: work / name for number, name in found.items()}


def _unpack(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    if target.exists():
        return
    if archive.getinfo(name).file_size > _LARGEST_MASK:
        raise zipfile.BadZipFile(f"{name} is no mask: it has {archive.getinfo(name).file_size} bytes")
    with replacing(target, durable=False) as temporary:
        temporary.write_bytes(archive.read(name))


def _aggregated(ids: Sequence[int], path: Path) -> tuple[InstanceInfo, ...]:
    meta = read_json(path, why="it names the objects", fix="download it again")
    try:
        labels = {int(group["objectId"]) + 1: str(group["label"]) for group in meta["segGroups"]}
    except (KeyError, TypeError, ValueError) as error:
        raise S3DError(
            f"{path} is no aggregation of ScanNet", why=f"its segGroups: {error!r}", fix="download it again"
        ) from error
    classes = {label: number for number, label in enumerate(sorted(set(labels.values())), start=1)}
    class_of = {entry: classes[labels[entry]] if entry in labels else 0 for entry in ids}
    return instances_of_classes(class_of, {number: label for label, number in classes.items()})


def _beside(mask: Path) -> Path | None:
    """The class image of an instance mask."""
    folders = {"instance-filt": "label-filt", "instance": "label"}
    path = mask.parent.with_name(folders[mask.parent.name]) / mask.name
    return path if path.is_file() else None


def _names(folder: Path) -> dict[int, str]:
    places = [place / _TABLE for place in (folder, *folder.absolute().parents[:3])]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file, delimiter="\t"))
        return {int(row["id"]): row["raw_category"] for row in rows}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise S3DError(
            f"{path} cannot be read", why=f"it names the classes: {error!r}", fix="download it again, or remove it"
        ) from error
