"""A raw capture: `images/` (or images in the folder itself), and what is known of them in `capture.json` or `clusters/<k>/`.

`capture.json` is {"intrinsics": {fl_x fl_y cx cy [w h k1 k2 p1 p2]}, "frames": [{"file_path", optional depth_file_path,
mask_path, transform_matrix (OpenGL axes), split}], optional "depth_scale" (units of the poses for one count, 0.001 unless
given)}. A cluster's `transforms.json` has the same keys at its top and in its frames; any frame may lack its pose. Its other
files are found by the name of the image: `depth/NAME.png`, `confidence/NAME.png`, `instances/NAME.png`, `masks/NAME.png`
(0 = ignore the pixel), `instances.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.intrinsics import read_camera, read_depth_scale
from s3d_splat.io.labels import read_json
from s3d_splat.io.paths import files_below
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left, read_tables
from s3d_splat.io.readers.names import find_images, in_order, is_image, natural_key, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.photos import check_other_photos, is_other_photo, tell_sizes, with_upright_images
from s3d_splat.io.readers.rows import row_pose, row_split
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.transforms import inside
from s3d_splat.types import Capture, CaptureCluster, CaptureView, ClassInfo

_LOG = logging.getLogger("s3d_splat")
_MILLIMETRE = 0.001
_LAYERS = ("depth", "confidence", "instances", "masks")


class RawReader:
    """Images in natural order of their names; poses, intrinsics, depth and masks may all be unknown."""

    name = "raw"

    def recognises(self, folder: Path) -> bool:
        """A folder `images/`, or a `capture.json`, or clusters, or photos in the folder itself."""
        described = (folder / "capture.json").is_file() or (folder / "clusters").is_dir()
        return described or (folder / "images").is_dir() or (folder.is_dir() and _has_photos(folder))

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images, and what `capture.json` and the clusters say of them; photos that a tag turns are written upright
        to `work/images`.
        """
        images = _images(folder)
        check_images_left(folder, images)
        described = _described(folder)
        folders = _cluster_folders(folder)
        names = scene_names(images)
        chosen = {image: names[image] for image in _chosen(images, folder, folders, choice, advance)}
        if folders:
            clusters, classes = _clusters(folders, folder, described, names)
        else:
            clusters, classes = ((_one_cluster(folder, described, names, chosen),), ())
        clusters = tuple(replace(one, views=with_upright_images(one.views, work, advance)) for one in clusters)
        tell_sizes([view for one in clusters for view in one.views])
        check_files(clusters, advance)
        return Capture(
            root=folder,
            format=self.name,
            names=tuple(chosen.values()),
            clusters=clusters,
            classes=classes,
            truth=folder / "truth" if (folder / "truth").is_dir() else None,
        )


def _has_photos(folder: Path) -> bool:
    return any(is_image(path.name) or is_other_photo(path.name) for path in folder.iterdir())


def _images(folder: Path) -> list[str]:
    """The images below `images/`; without it, those in the folder itself.

    Raises:
        S3DError: there are photos, but all of formats that are not read.
    """
    place = folder / "images"
    if place.is_dir():
        found = [f"images/{path}" for path in find_images(place)]
        check_other_photos(files_below(place), place, found)
        return found
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    found = in_order(path.name for path in files if is_image(path.name))
    check_other_photos(files, folder, found)
    return found


def _chosen(
    images: Sequence[str], folder: Path, clusters: Sequence[Path], choice: FrameChoice, advance: Advance | None
) -> list[str]:
    if clusters and choice != EVERY:
        raise S3DError(
            f"{folder} has clusters, whose images are taken as they are",
            why="clusters find their place by the images that they share",
            fix="leave --frames and --fps away",
        )
    return choose(images, choice, lambda image: file_sharpness(folder / image), advance)


def _described(folder: Path) -> dict[str, Any]:
    """`capture.json` with its intrinsics at the top, where frames look for them; empty if there is none."""
    path = folder / "capture.json"
    if not path.exists():
        return {}
    meta = read_json(path, why="it describes the capture", fix="remove it, or write it")
    intrinsics = meta.get("intrinsics", {}) if isinstance(meta, dict) else None
    if not isinstance(intrinsics, dict):
        raise S3DError(
            f"{path} is no description of a capture",
            why="it is an object with `intrinsics` (an object) and `frames` (a list)",
            fix="correct the file, or remove it",
        )
    return meta | intrinsics


def _rows(meta: Mapping[str, Any], path: Path, names: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """The frames of a JSON by image, in natural order.

    Raises:
        S3DError: a frame is malformed, is there twice, or names no image of the capture.
    """
    rows = meta.get("frames", [])
    if not isinstance(rows, list):
        raise S3DError(f"{path}: frames is no list", why="every image has a row in it", fix="correct the file")
    found: dict[str, Mapping[str, Any]] = {}
    for index, row in enumerate(rows):
        written = row.get("file_path") if isinstance(row, dict) else None
        where = f"{path}: frame {index}"
        image = inside(Path(), written, f"{where}: file_path").as_posix()
        if image not in names:
            raise S3DError(
                f"{where} ({image}) has no image", why="frames describe images", fix="add the image, or remove the frame"
            )
        if image in found:
            raise S3DError(f"{where}: {image} is there twice", why="a frame is one image", fix="remove one of the two")
        found[image] = row
    return {image: found[image] for image in sorted(found, key=natural_key)}


def _one_cluster(
    folder: Path, meta: Mapping[str, Any], names: Mapping[str, str], chosen: Mapping[str, str]
) -> CaptureCluster:
    path = folder / "capture.json"
    rows = _rows(meta, path, names)
    views = []
    for image, name in chosen.items():
        row = rows.get(image, {})
        where = f"{path}: {image}"
        named = {"depth": "depth_file_path", "mask": "mask_path"}
        files = {
            layer: None if row.get(key) is None else inside(folder, row[key], f"{where}: {key}")
            for layer, key in named.items()
        }
        scale = read_depth_scale(meta, row, "depth_scale", where, default=_MILLIMETRE)
        views.append(_view(folder / image, name, meta, row, where, files, scale))
    _check_one_size(
        [view for image, view in zip(chosen, views, strict=True) if "fl_x" not in rows.get(image, {})], meta, path
    )
    return CaptureCluster(tuple(views))


def _cluster_folders(folder: Path) -> list[Path]:
    clusters = folder / "clusters"
    found = [path for path in clusters.iterdir() if path.is_dir()] if clusters.is_dir() else []
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural_key(path.name))


def _clusters(
    folders: Sequence[Path], root: Path, meta: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[tuple[CaptureCluster, ...], tuple[ClassInfo, ...]]:
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
    rows = _rows(own, path, names)
    for image, row in rows.items():
        where = f"{path}: {image}"
        files = {layer: _layer(folder / layer, image, names[image]) for layer in _LAYERS}
        default = None if files["depth"] is not None else _MILLIMETRE  # the gauge is the cluster's own: nothing to assume
        scale = read_depth_scale(meta, row, "depth_scale", where, default=default)
        views.append(_view(root / image, names[image], meta, row, where, files, scale))
    _check_one_size([view for row, view in zip(rows.values(), views, strict=True) if "fl_x" not in row], meta, path)
    return tuple(views)


def _check_one_size(views: Sequence[CaptureView], meta: Mapping[str, Any], path: Path) -> None:
    """Intrinsics that several images share without saying a size belong to images of one size."""
    if "fl_x" not in meta or ("w" in meta and "h" in meta):  # then every file is compared with w and h
        return
    for view in views:
        if (view.width, view.height) != (views[0].width, views[0].height):
            raise S3DError(
                f"{path}: {views[0].name} is {views[0].width}x{views[0].height}, {view.name} is {view.width}x{view.height}",
                why="they share intrinsics, which belong to images of one size",
                fix="resize the images to the size that was calibrated, or give their frames intrinsics of their own",
            )


def _layer(folder: Path, image: str, name: str) -> Path | None:
    """The file of an image in a cluster's folder, by its path below `images/` or by its name in the scene."""
    path = PurePosixPath(image)
    below = (path.relative_to("images") if path.parts[0] == "images" else path).with_suffix(".png")
    candidates = (folder / below, folder / f"{PurePosixPath(name).stem}.png")
    return next((path for path in candidates if path.is_file()), None)


def _view(
    image: Path,
    name: str,
    meta: Mapping[str, Any],
    row: Mapping[str, Any],
    where: str,
    files: Mapping[str, Path | None],
    depth_scale: float,
) -> CaptureView:
    width, height = image_size(image, where=name)
    known = "fl_x" in row or "fl_x" in meta
    camera = read_camera({"w": width, "h": height, **meta}, row, where) if known else None
    return CaptureView(
        name=name,
        image_path=image,
        width=width if camera is None else camera.width,
        height=height if camera is None else camera.height,
        lens=None if camera is None else camera.lens,
        T_cluster_camera=row_pose(row, where),
        split=row_split(row, where),
        depth_path=files.get("depth"),
        depth_scale=depth_scale,
        confidence_path=files.get("confidence"),
        instance_path=files.get("instances"),
        mask_path=files.get("masks") or files.get("mask"),
    )
