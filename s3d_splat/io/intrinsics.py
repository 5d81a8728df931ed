"""The camera behind an image, as the rows of `transforms.json` describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np

from s3d_splat.errors import S3DError
from s3d_splat.types import Lens

# Camera models that k1 k2 p1 p2 describe; a fisheye or equirectangular image is no pinhole image behind a lens.
_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")


class StoredCamera(NamedTuple):
    """The camera that took an image, and the size of that image in pixels."""

    lens: Lens
    width: int
    height: int


def read_camera(meta: Mapping[str, Any], row: Mapping[str, Any], where: str) -> StoredCamera:
    """The camera of a frame: each value comes from `row`, or else from `meta`, which speaks for all frames.

    Raises:
        S3DError: a value is missing or impossible, or the camera is none that k1 k2 p1 p2 describe.
    """
    model = row.get("camera_model", meta.get("camera_model", "OPENCV"))
    further = [key for key in ("k3", "k4") if read_number(meta, row, key, where, default=0.0) != 0]
    if model not in _MODELS or further:
        raise S3DError(
            f"{where}: camera model {model}" + (f" with {', '.join(further)}" if further else ""),
            why=f"images must come from {', '.join(_MODELS)}, with no distortion beyond k1 k2 p1 p2",
            fix="undistort the images first, for example with COLMAP's image_undistorter",
        )
    fx, fy, cx, cy = (read_number(meta, row, key, where) for key in ("fl_x", "fl_y", "cx", "cy"))
    width, height = (_whole_number(meta, row, key, where) for key in ("w", "h"))
    distortion = [read_number(meta, row, key, where, default=0.0) for key in ("k1", "k2", "p1", "p2")]
    return checked_camera(Lens(fx, fy, cx, cy, *distortion), width, height, where)


def checked_camera(lens: Lens, width: int, height: int, where: str) -> StoredCamera:
    """The camera, if it can exist.

    Raises:
        S3DError: a value is not finite, a focal length is not positive, or the principal point lies outside the image.
    """
    if not np.isfinite(astuple(lens)).all():
        raise S3DError(f"{where}: the camera is not finite", why="it cannot be used", fix="calibrate it again")
    if lens.fx <= 0 or lens.fy <= 0:
        raise S3DError(
            f"{where}: focal length {lens.fx}, {lens.fy}", why="it must be positive (pixels)", fix="correct fl_x and fl_y"
        )
    if not (0 < lens.cx < width and 0 < lens.cy < height):
        raise S3DError(
            f"{where}: principal point {lens.cx}, {lens.cy} is outside the {width}x{height} image",
            why="intrinsics and image size belong together",
            fix="correct cx, cy, w, h (all in pixels of the stored image)",
        )
    return StoredCamera(lens, width, height)


def is_pinhole(lens: Lens) -> bool:
    """Whether the lens has no distortion."""
    return not any((lens.k1, lens.k2, lens.p1, lens.p2))


def read_number(
    meta: Mapping[str, Any], row: Mapping[str, Any], key: str, where: str, *, default: float | None = None
) -> float:
    """A number from `row`, or else `meta`, or else `default`.

    Raises:
        S3DError: there is none, or it is not finite.
    """
    value = row.get(key, meta.get(key, default))
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise S3DError(
            f"{where}: {key} is {'missing' if value is None else repr(value)}",
            why="the camera cannot be known without it" if default is None else "it must be a number",
            fix=f"add {key} to the frame, or for all frames at the top of transforms.json",
        )
    return float(value)


def read_depth_scale(
    meta: Mapping[str, Any], row: Mapping[str, Any], key: str, where: str, *, default: float | None
) -> float:
    """Units of length for one count of a depth image.

    Raises:
        S3DError: missing without a default, or not positive.
    """
    scale = read_number(meta, row, key, where, default=default)
    if scale <= 0:
        raise S3DError(f"{where}: {key} is {scale}", why="depths are positive", fix="0.001: millimetres")
    return scale


def _whole_number(meta: Mapping[str, Any], row: Mapping[str, Any], key: str, where: str) -> int:
    value = read_number(meta, row, key, where)
    if value != int(value) or value < 1:
        raise S3DError(f"{where}: {key} is {value}", why="an image has whole pixels", fix=f"correct {key}")
    return int(value)
