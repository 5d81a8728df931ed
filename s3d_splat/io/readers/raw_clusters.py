"""The clusters of a raw capture: `clusters/<k>/` with poses, depth and masks in a gauge of their own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.intrinsics import read_depth_scale
from s3d_splat.io.labels import read_json
from s3d_splat.io.readers.checks import read_tables
from s3d_splat.io.readers.names import natural_key
from s3d_splat.io.readers.raw_rows import MILLIMETRE, check_one_size, image_rows, view_of_row
from s3d_splat.types import CaptureCluster, CaptureView, ClassInfo

_LOG = logging.getLogger("s3d_splat")
_LAYERS = ("depth", "confidence", "instances", "masks")


def cluster_folders(folder: Path) -> list[Path]:
    """The folders of the clusters of a capture, in natural order."""
    clusters = folder / "clusters"
    found = [path for path in clusters.iterdir() if path.is_dir()] if clusters.is_dir() else []
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural_key(path.name))


def read_clusters(
    folders: Sequence[Path], root: Path, meta: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[tuple[CaptureCluster, ...], tuple[ClassInfo, ...]]:
    """The clusters, and the classes of them all.

    Args:
        root: the capture.
        meta: `capture.json`, whose intrinsics hold where a cluster gives none.
        names: what each image is called in the scene.

    Raises:
        S3DError: a table is missing or malformed, or two clusters number the classes differently.
    """
    if meta.get("frames"):
        _LOG.warning("The frames of %s are passed over: the clusters speak for the images.", root / "capture.json")
    shared = {key: value for key, value in meta.items() if key != "frames"}
    clusters, classes = [], dict[int, ClassInfo]()
    for folder in folders:
        views = _cluster_views(folder, root, shared, names)
        instances, found = read_tables(folder, views)
        for entry in found:
            if classes.setdefault(entry.id, entry) != entry:
                raise S3DError(
                    f"{folder}: class {entry.id} is {entry.name!r} here, and {classes[entry.id].name!r} in another cluster",
                    why="the ids of clusters may differ, their classes may not",
                    fix="number the classes alike in all instances.json",
                )
        clusters.append(CaptureCluster(views, instances))
    return tuple(clusters), tuple(classes[entry] for entry in sorted(classes))


def _cluster_views(folder: Path, root: Path, shared: Mapping[str, Any], names: Mapping[str, str]) -> tuple[CaptureView, ...]:
    path = folder / "transforms.json"
    own = read_json(path, why="it says which images the cluster holds", fix="write it, or remove the cluster")
    if not isinstance(own, dict) or not own.get("frames"):
        raise S3DError(f"{path} has no frames", why="a cluster is made of images", fix="add them, or remove the cluster")
    meta = {**shared, **own}
    views = []
    rows = image_rows(own, path, names)
    for image, row in rows.items():
        where = f"{path}: {image}"
        files = {layer: _layer(folder / layer, image, names[image]) for layer in _LAYERS}
        default = None if files["depth"] is not None else MILLIMETRE  # the gauge is the cluster's own: nothing to assume
        scale = read_depth_scale(meta, row, "depth_scale", where, default=default)
        views.append(view_of_row(root / image, names[image], meta, row, where, files, scale))
    check_one_size([view for row, view in zip(rows.values(), views, strict=True) if "fl_x" not in row], meta, path)
    return tuple(views)


def _layer(folder: Path, image: str, name: str) -> Path | None:
    """The file of an image in a cluster's folder, by its path below `images/` or by its name in the scene."""
    path = PurePosixPath(image)
    below = (path.relative_to("images") if path.parts[0] == "images" else path).with_suffix(".png")
    candidates = (folder / below, folder / f"{PurePosixPath(name).stem}.png")
    return next((path for path in candidates if path.is_file()), None)
