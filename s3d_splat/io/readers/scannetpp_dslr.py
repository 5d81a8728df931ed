"""ScanNet++ (Yeshwanth et al., ICCV 2023), what the camera with the fisheye lens took.

`dslr/resized_undistorted_images/` with `dslr/nerfstudio/transforms_undistorted.json`, or `dslr/resized_images/`, which are
undistorted here. Poses and points are those of `dslr/colmap/`; without it the poses of the JSON are taken, whose world has
other axes. `dslr/train_test_lists.json`, or the lists of the JSON, say which images are for test; images that the data set
calls bad are left out. `resized_undistorted_masks/` says which pixels count (0: made unrecognisable).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.intrinsics import StoredCamera, read_camera
from s3d_splat.io.labels import read_json
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.colmap import import_colmap, model_place
from s3d_splat.io.readers.names import in_order
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rows import row_pose
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.transforms import inside
from s3d_splat.types import Capture, CaptureCluster, CaptureView, ProxyGeometry, Split

_LOG = logging.getLogger("s3d_splat")
_UNDISTORTED, _FISHEYE = "resized_undistorted_images", "resized_images"
_TRANSFORMS, _LISTS = "nerfstudio/transforms_undistorted.json", "train_test_lists.json"


class ScanNetPpCameraReader:
    """Posed images with their points, and the data set's own split."""

    name = "scannetpp_dslr"

    def recognises(self, folder: Path) -> bool:
        """`dslr/` (or the folder itself) with undistorted images and their cameras, or images and a model of COLMAP."""
        place = _place(folder)
        undistorted = (place / _UNDISTORTED).is_dir() and (place / _TRANSFORMS).is_file()
        return undistorted or ((place / _FISHEYE).is_dir() and model_place(place / "colmap") is not None)

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order; those that are undistorted here are written to `work/images`."""
        place = _place(folder)
        if not (place / _UNDISTORTED).is_dir():
            return _read_fisheye(folder, place, work, advance, choice)
        meta = _read_object(place / _TRANSFORMS)
        rows = _rows(meta, place)
        there = [name for name in in_order(rows) if (place / _UNDISTORTED / name).is_file()]
        check_images_left(folder, there)
        views, points = _refined(place, {name: _view(place, name, meta, rows[name]) for name in there})
        check_images_left(folder, list(views))
        chosen = choose(list(views.values()), choice, lambda view: file_sharpness(view.image_path), advance)
        splits = _splits(place, meta)
        clusters = (CaptureCluster(tuple(replace(view, split=splits.get(view.name)) for view in chosen)),)
        check_files(clusters, advance)
        names = tuple(view.name for view in chosen)
        return Capture(root=folder, format=self.name, names=names, clusters=clusters, points=points)


def _place(folder: Path) -> Path:
    return folder / "dslr" if (folder / "dslr").is_dir() else folder


def _read_fisheye(folder: Path, place: Path, work: Path, advance: Advance | None, choice: FrameChoice) -> Capture:
    """The images as they were taken, undistorted by COLMAP."""
    model = model_place(place / "colmap")
    if model is None:
        raise S3DError(
            f"{place} has neither {_UNDISTORTED}/ nor colmap/",
            why="without either, the cameras are not known",
            fix="download one of them",
        )
    capture = import_colmap().read_colmap_model(place, model, work, advance, choice, images=_FISHEYE)
    splits = _splits(place, {})
    views = tuple(replace(view, split=splits.get(view.name)) for view in capture.clusters[0].views)
    return replace(capture, root=folder, format=ScanNetPpCameraReader.name, clusters=(CaptureCluster(views),))


def _read_object(path: Path) -> dict[str, Any]:
    meta = read_json(path, why="it holds the cameras", fix="download it again")
    if not isinstance(meta, dict):
        raise S3DError(f"{path} is no object", why="it holds the cameras", fix="download it again")
    return meta


def _rows(meta: Mapping[str, Any], place: Path) -> dict[str, Mapping[str, Any]]:
    """The rows of train and test images by the name of the image, without those that the data set calls bad."""
    rows: dict[str, Mapping[str, Any]] = {}
    bad = 0
    lists = [meta.get(key, []) for key in ("frames", "test_frames")]
    if not all(isinstance(rows_of, list) for rows_of in lists):
        raise S3DError(f"{place / _TRANSFORMS}: frames is no list", why="it holds the cameras", fix="download it again")
    for row in [row for rows_of in lists for row in rows_of]:
        written = row.get("file_path") if isinstance(row, dict) else None
        name = inside(Path(), written, f"{place / _TRANSFORMS}: file_path").name
        if row.get("is_bad"):
            bad += 1
        else:
            rows[name] = row
    if bad:
        _LOG.warning("%d images are left out: the data set calls them bad.", bad)
    return rows


def _view(place: Path, name: str, meta: Mapping[str, Any], row: Mapping[str, Any]) -> CaptureView:
    where = f"{place / _TRANSFORMS}: {name}"
    camera: StoredCamera = read_camera(meta, row, where)
    mask = place / "resized_undistorted_masks" / f"{Path(name).stem}.png"
    return CaptureView(
        name=name,
        image_path=place / _UNDISTORTED / name,
        width=camera.width,
        height=camera.height,
        lens=camera.lens,
        T_cluster_camera=row_pose(row, where),
        mask_path=mask if mask.is_file() else None,
    )


def _refined(place: Path, views: dict[str, CaptureView]) -> tuple[dict[str, CaptureView], ProxyGeometry | None]:
    """The views with the poses of COLMAP's model, and its points; as they are where it cannot be read."""
    found = model_place(place / "colmap")
    if found is None:
        return views, None
    if importlib.util.find_spec("pycolmap") is None:
        _LOG.warning("%s is not read, which holds points: pip install 's3d-splat[colmap]'", found)
        return views, None
    colmap = import_colmap()
    model = colmap.read_model(found)
    posed = {Path(picture.name).name: picture for picture in model.images.values() if picture.has_pose}
    moved = {}
    for name, view in views.items():
        if name in posed:
            pose = colmap.model_pose(posed[name], name)
            moved[name] = replace(view, T_cluster_camera=pose)
    if len(moved) < len(views):
        _LOG.warning("%d of %d images are left out: %s has no pose of them.", len(views) - len(moved), len(views), found)
    return moved, colmap.model_points(model)


def _splits(place: Path, meta: Mapping[str, Any]) -> dict[str, Split]:
    """What the images are for, by their name."""
    path = place / _LISTS
    listed = _read_object(path) if path.is_file() else {}
    test = listed.get("test", [row.get("file_path") for row in meta.get("test_frames", [])])
    train = listed.get("train", [row.get("file_path") for row in meta.get("frames", [])])
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in (train, test)):
        raise S3DError(f"{path} is malformed", why="train and test are lists of names", fix="download it again")
    splits: dict[str, Split] = {Path(name).name: "train" for name in train}
    return splits | {Path(name).name: "test" for name in test}
