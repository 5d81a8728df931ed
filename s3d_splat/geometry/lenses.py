"""Undoing a lens: OpenCV's model with k1, k2 (radial) and p1, p2 (tangential).

The pinhole camera after undistortion has the size of the stored image and the intrinsics of
`cv2.getOptimalNewCameraMatrix(alpha=0)`: the image is zoomed as little as it takes to leave no pixel without a source.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from s3d_splat.types import Lens

Maps = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]


class Intrinsics(NamedTuple):
    """Focal lengths and principal point in pixels (pixel centres at +0.5)."""

    fx: float
    fy: float
    cx: float
    cy: float


def undistorted_intrinsics(lens: Lens, width: int, height: int) -> Intrinsics:
    """The pinhole camera whose image of `width` by `height` pixels the undistorted stored image of that size fills."""
    import cv2

    matrix, _ = cv2.getOptimalNewCameraMatrix(_opencv_matrix(lens), _coefficients(lens), (width, height), 0)
    return Intrinsics(float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]) + 0.5, float(matrix[1, 2]) + 0.5)


@lru_cache(maxsize=4)  # the frames of a scene nearly always share one lens
def undistortion_maps(lens: Lens, width: int, height: int) -> Maps:
    """For each pixel of the pinhole image of `undistorted_intrinsics`, where it lies in the stored image.

    Returns:
        Column and row in OpenCV's convention (the centre of the first pixel is at 0), as `cv2.remap` takes them.
    """
    import cv2

    intrinsics = undistorted_intrinsics(lens, width, height)
    columns, rows = cv2.initUndistortRectifyMap(
        _opencv_matrix(lens), _coefficients(lens), np.eye(3), _matrix(intrinsics), (width, height), cv2.CV_32FC1
    )
    return columns, rows


@lru_cache(maxsize=4)
def distortion_maps(lens: Lens, width: int, height: int) -> Maps:
    """For each pixel of the stored image, where it lies in the pinhole image: the inverse of `undistortion_maps`.

    Returns:
        Column and row in OpenCV's convention; outside the pinhole image where that shows less than the stored one.
    """
    import cv2

    matrix = _matrix(undistorted_intrinsics(lens, width, height))
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 1, 2).astype(np.float64)
    there = cv2.undistortPoints(pixels, _opencv_matrix(lens), _coefficients(lens), P=matrix).reshape(height, width, 2)
    return there[..., 0].astype(np.float32), there[..., 1].astype(np.float32)


def undistort(
    pixels: Shaped[np.ndarray, "h w *c"], lens: Lens, *, sampling: Literal["bilinear", "nearest"]
) -> Shaped[np.ndarray, "h w *c"]:
    """An image as the pinhole camera of `undistorted_intrinsics` would have taken it.

    Args:
        pixels: uint8 colours, or uint16 or float32 depths or labels (depth along z is not changed by a lens).
        sampling: "bilinear" for colours; "nearest" for depths and labels, which must not be mixed.
    """
    import cv2

    columns, rows = undistortion_maps(lens, pixels.shape[1], pixels.shape[0])
    if sampling == "bilinear":
        return cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.remap(pixels, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))


def _opencv_matrix(lens: Lens) -> Float[np.ndarray, "3 3"]:
    return _matrix(Intrinsics(lens.fx, lens.fy, lens.cx, lens.cy))


def _matrix(intrinsics: Intrinsics) -> Float[np.ndarray, "3 3"]:
    fx, fy, cx, cy = intrinsics
    return np.array([[fx, 0.0, cx - 0.5], [0.0, fy, cy - 0.5], [0.0, 0.0, 1.0]])


def _coefficients(lens: Lens) -> Float[np.ndarray, " 4"]:
    return np.array([lens.k1, lens.k2, lens.p1, lens.p2])
