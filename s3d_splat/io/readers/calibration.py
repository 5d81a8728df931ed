"""The two cameras of an RGB-D sensor, and `calibration.json`, which says what they are where the defaults do not fit.

`calibration.json`: {"colour": {fl_x fl_y cx cy [k1 k2 p1 p2 k3]}, "depth": {fl_x fl_y cx cy}, "T_colour_depth": 4x4 (points
of the depth camera into the colour camera, metres, OpenCV axes), "depth_scale": metres for one count}; all are optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from s3d_splat.errors import S3DError
from s3d_splat.io.intrinsics import read_depth_scale, read_number
from s3d_splat.io.labels import read_json
from s3d_splat.io.poses import read_pose

FILE = "calibration.json"


@dataclass(frozen=True)
class SensorCamera:
    """One camera of a sensor; pixels with centres at +0.5."""

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)  # OpenCV's k1 k2 p1 p2 k3


@dataclass(frozen=True)
class RgbdCalibration:
    """The cameras of an RGB-D sensor."""

    colour: SensorCamera
    depth: SensorCamera
    T_colour_depth: Float[np.ndarray, "4 4"]
    depth_scale: float  # metres for one count


def read_calibration(folder: Path, default: RgbdCalibration | None) -> RgbdCalibration | None:
    """`calibration.json` of the folder; what it does not say is taken from `default` (None: identical, registered cameras).

    Returns:
        `default` if there is no such file.

    Raises:
        S3DError: malformed, or impossible numbers.
    """
    path = folder / FILE
    if not path.exists():
        return default
    meta = read_json(path, why="it describes the sensor", fix="remove it, or write it")
    if not isinstance(meta, dict):
        raise S3DError(f"{path} is no object", why="it describes the sensor", fix="write colour, depth, T_colour_depth")
    colour = _camera(meta, "colour", path, None if default is None else default.colour)
    depth = _camera(meta, "depth", path, colour if default is None else default.depth)
    if depth != colour and any(depth.distortion):
        raise S3DError(
            f"{path}: the depth camera has distortion",
            why="depth is registered from pinhole images",
            fix="undistort it first",
        )
    transform = np.eye(4) if default is None else default.T_colour_depth
    if "T_colour_depth" in meta:
        transform = read_pose(meta["T_colour_depth"], str(path), called="T_colour_depth")
    scale = read_depth_scale(meta, {}, "depth_scale", str(path), default=0.001 if default is None else default.depth_scale)
    return RgbdCalibration(colour, depth, transform, scale)


def _camera(meta: Mapping[str, Any], key: str, path: Path, default: SensorCamera | None) -> SensorCamera:
    row = meta.get(key)
    if row is None and default is not None:
        return default
    if not isinstance(row, dict):
        raise S3DError(f"{path}: {key} is no camera", why="depth and colour meet by it", fix="give it fl_x, fl_y, cx, cy")
    where = f"{path}: {key}"
    fx, fy, cx, cy = (read_number(row, {}, name, where) for name in ("fl_x", "fl_y", "cx", "cy"))
    if fx <= 0 or fy <= 0:
        raise S3DError(f"{where}: focal length {fx}, {fy}", why="it must be positive (pixels)", fix="correct fl_x and fl_y")
    k1, k2, p1, p2, k3 = (read_number(row, {}, name, where, default=0.0) for name in ("k1", "k2", "p1", "p2", "k3"))
    return SensorCamera(fx, fy, cx, cy, (k1, k2, p1, p2, k3))


def with_depth_camera(calibration: RgbdCalibration, matrix: Float[np.ndarray, "_ _"], where: str) -> RgbdCalibration:
    """The calibration with the intrinsics of `matrix` for its depth camera.

    Raises:
        S3DError: these are no intrinsics.
    """
    sane = matrix.shape == (3, 3) and np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0
    if not sane:
        raise S3DError(
            f"{where} holds no intrinsics", why="it is the 3x3 matrix of the depth camera", fix="correct the file"
        )
    camera = SensorCamera(float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]))
    return replace(calibration, depth=camera)
