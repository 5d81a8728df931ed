"""A raw capture: `images/` (or images in the folder itself), and what is known of them in `capture.json` or `clusters/<k>/`.

`capture.json` is {"intrinsics": {fl_x fl_y cx cy [w h k1 k2 p1 p2]}, "frames": [{"file_path", optional depth_file_path,
mask_path, transform_matrix (OpenGL axes), split}], optional "depth_scale" (units of the poses for one count, 0.001 unless
given)}. A cluster's `transforms.json` has the same keys at its top and in its frames; any frame may lack its pose. Its other
files are found by the name of the image: `depth/NAME.png`, `confidence/NAME.png`, `instances/NAME.png`, `masks/NAME.png`
(0 = ignore the pixel), `instances.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.intrinsics import read_depth_scale
from s3d_splat.io.labels import read_json
from s3d_splat.io.paths import files_below
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.names import find_images, in_order, is_image, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.photos import check_other_photos, has_photos, tell_sizes, with_upright_images
from s3d_splat.io.readers.raw_clusters import cluster_folders, read_clusters
from s3d_splat.io.readers.raw_rows import MILLIMETRE, check_one_size, image_rows, view_of_row
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.transforms import inside
from s3d_splat.types import Capture, CaptureCluster


class RawReader:
    """Images in natural order of their names; poses, intrinsics, depth and masks may all be unknown."""

    name = "raw"

    def recognises(self, folder: Path) -> bool:
        """A folder `images/`, or a `capture.json`, or clusters, or photos in the folder itself."""
        described = (folder / "capture.json").is_file() or (folder / "clusters").is_dir()
        return described or (folder / "images").is_dir() or has_photos(folder)

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images, and what `capture.json` and the clusters say of them; photos that a tag turns are written upright
        to `work/images`.
        """
        images = _images(folder)
        check_images_left(folder, images)
        described = _described(folder)
        folders = cluster_folders(folder)
        names = scene_names(images)
        chosen = {image: names[image] for image in _chosen(images, folder, folders, choice, advance)}
        if folders:
            clusters, classes = read_clusters(folders, folder, described, names)
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


def _one_cluster(
    folder: Path, meta: Mapping[str, Any], names: Mapping[str, str], chosen: Mapping[str, str]
) -> CaptureCluster:
    path = folder / "capture.json"
    rows = image_rows(meta, path, names)
    views = []
    for image, name in chosen.items():
        row = rows.get(image, {})
        where = f"{path}: {image}"
        named = {"depth": "depth_file_path", "mask": "mask_path"}
        files = {
            layer: None if row.get(key) is None else inside(folder, row[key], f"{where}: {key}")
            for layer, key in named.items()
        }
        scale = read_depth_scale(meta, row, "depth_scale", where, default=MILLIMETRE)
        views.append(view_of_row(folder / image, name, meta, row, where, files, scale))
    check_one_size(
        [view for image, view in zip(chosen, views, strict=True) if "fl_x" not in rows.get(image, {})], meta, path
    )
    return CaptureCluster(tuple(views))
