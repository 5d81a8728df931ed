"""Rows of `capture.json` and of the clusters' `transforms.json` as views of a raw capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.intrinsics import read_camera
from s3d_splat.io.readers.names import natural_key
from s3d_splat.io.readers.rows import row_pose, row_split
from s3d_splat.io.transforms import inside
from s3d_splat.types import CaptureView

MILLIMETRE = 0.001  # metres for one count of depth, where nothing else is said


def image_rows(meta: Mapping[str, Any], path: Path, names: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
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


def check_one_size(views: Sequence[CaptureView], meta: Mapping[str, Any], path: Path) -> None:
    """Check that images have one size if they share intrinsics that do not say theirs.

    Raises:
        S3DError: they have not; names two.
    """
    if "fl_x" not in meta or ("w" in meta and "h" in meta):  # then every file is compared with w and h
        return
    for view in views:
        if (view.width, view.height) != (views[0].width, views[0].height):
            raise S3DError(
                f"{path}: {views[0].name} is {views[0].width}x{views[0].height}, {view.name} is {view.width}x{view.height}",
                why="they share intrinsics, which belong to images of one size",
                fix="resize the images to the size that was calibrated, or give their frames intrinsics of their own",
            )


def view_of_row(
    image: Path,
    name: str,
    meta: Mapping[str, Any],
    row: Mapping[str, Any],
    where: str,
    files: Mapping[str, Path | None],
    depth_scale: float,
) -> CaptureView:
    """The view of an image, by its row in a JSON.

    Args:
        image: its file.
        meta: the top of the JSON, which speaks for all rows; `row` comes first.
        where: names the row in messages.
        files: of depth, confidence, instances and mask(s), where they are there.

    Raises:
        S3DError: the image cannot be read, or its camera or pose cannot be.
    """
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
