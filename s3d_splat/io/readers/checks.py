"""Checks of the files of a capture, before anything long starts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3d_splat.errors import S3DError
from s3d_splat.io.images import Content, check_image_body, check_image_file, check_mask_body, read_counts
from s3d_splat.io.labels import MAX_ID, check_classes, classes_of, read_classes, read_instances
from s3d_splat.io.readers.base import Advance
from s3d_splat.types import CaptureCluster, CaptureView, ClassInfo, InstanceInfo

_WORKERS = 4  # decoding releases Python's lock
_OBJECT = ClassInfo(1, "object", True)


@dataclass(frozen=True)
class _File:
    path: Path
    content: Content
    width: int
    height: int
    where: str
    ids: frozenset[int] = frozenset()  # that a mask may hold


def check_files(
    clusters: Sequence[CaptureCluster], advance: Advance | None, depth_size: tuple[int, int] | None = None
) -> None:
    """Check that all files of the views are there, have their type and size, and decode; masks hold ids of the table alone.

    Args:
        depth_size: width and height of depth images that have yet to be brought into the pixels of colour; None: its size.

    Raises:
        S3DError: the first file that is not so, in the order of the views.
    """
    files: dict[tuple[Path, Content], _File] = {}
    for number, cluster in enumerate(clusters):
        ids = frozenset(entry.id for entry in cluster.instances)
        for view in cluster.views:
            where = view.name if len(clusters) == 1 else f"cluster {number}: {view.name}"
            for file in _files_of(view, where, ids, depth_size):
                files.setdefault((file.path, file.content), file)
    with ThreadPoolExecutor(_WORKERS) as readers:
        for done, _ in enumerate(readers.map(_check, files.values())):
            if advance is not None:
                advance(done + 1, len(files))


def read_tables(folder: Path, views: Sequence[CaptureView]) -> tuple[tuple[InstanceInfo, ...], tuple[ClassInfo, ...]]:
    """What the masks of the views mean: `instances.json` and `classes.json` of the folder.

    Without `instances.json` every id of the masks is an object that nobody has named.

    Raises:
        S3DError: a table is malformed, the two contradict each other, or a mask cannot be read.
    """
    path = folder / "instances.json"
    if path.exists():
        instances = read_instances(path)
    else:
        instances = unnamed_objects([view.instance_path for view in views if view.instance_path is not None])
    if not (folder / "classes.json").exists():
        return instances, classes_of(instances, path)
    classes = read_classes(folder / "classes.json")
    check_classes(instances, classes, path)
    return instances, classes


def unnamed_objects(masks: Sequence[Path]) -> tuple[InstanceInfo, ...]:
    """A thing of the class "object" for every id in the masks.

    Raises:
        S3DError: a mask cannot be read.
    """
    return tuple(
        InstanceInfo(id=entry, class_id=_OBJECT.id, class_name=_OBJECT.name, is_thing=True, score=1.0)
        for entry in mask_ids(masks)
    )


def mask_ids(masks: Sequence[Path]) -> list[int]:
    """The ids that occur in the masks, ascending, without 0.

    Raises:
        S3DError: a mask cannot be read.
    """
    seen = np.zeros(MAX_ID + 1, dtype=bool)
    with ThreadPoolExecutor(_WORKERS) as readers:
        for pixels in readers.map(lambda path: np.unique(read_counts(path, "instances", where=path.name)), masks):
            seen[pixels] = True
    return [int(entry) for entry in np.flatnonzero(seen) if entry]


def check_images_left(folder: Path, images: Sequence[str]) -> None:
    """Raise S3DError if a capture has no images."""
    if not images:
        raise S3DError(
            f"{folder} has no images",
            why="a capture is made of .png or .jpg images",
            fix="put them into a folder images/ inside it, or check the names that its files give",
        )


def _files_of(view: CaptureView, where: str, ids: frozenset[int], depth_size: tuple[int, int] | None) -> list[_File]:
    size = view.width, view.height
    paths: list[tuple[Path | None, Content]] = [
        (view.image_path, "image"),
        (view.depth_path, "depth"),
        (view.confidence_path, "confidence"),
        (view.instance_path, "instances"),
        (view.mask_path, "mask"),
    ]
    return [
        _File(path, content, *(depth_size if content == "depth" and depth_size else size), where, ids)
        for path, content in paths
        if path is not None
    ]


def _check(file: _File) -> None:
    if not file.path.is_file():
        raise S3DError(
            f"{file.where}: {file.path} does not exist",
            why=f"it is named as the {file.content} of the image",
            fix="add the file, or take its name out of the capture",
        )
    check_image_file(file.path, file.content, file.width, file.height, where=file.where)
    if file.content == "mask":
        check_mask_body(file.path, where=file.where)
        return
    if file.content != "instances":
        check_image_body(file.path, file.content, where=file.where)
        return
    strange = set(np.unique(read_counts(file.path, "instances", where=file.where)).tolist()) - file.ids - {0}
    if strange:
        raise S3DError(
            f"{file.where}: {file.path} holds id {min(strange)}, which instances.json lacks",
            why="an id without a row in the table has no meaning",
            fix="add the id to instances.json, or set these pixels to 0 (unlabelled)",
        )
