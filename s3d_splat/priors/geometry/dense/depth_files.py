"""Depth and confidence as images on disk, and in the pixels of the stored images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from s3d_splat.geometry.lenses import distortion_maps
from s3d_splat.types import Frame

_MOST = 65535  # counts of a depth image
_SMOOTH = 0.02  # of the depth: how far it may change from pixel to pixel of one surface

Map = Float32[np.ndarray, "h w"]
Write = Callable[[Path, UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]], None]
"""Writes a grey image as PNG; `s3d_splat.io.images.write_image`."""


class RawDepth:
    """What was estimated for each view before it was judged, on disk."""

    def __init__(self, folder: Path, write: Write) -> None:
        self._folder, self._write = folder, write
        self._scales: dict[int, float] = {}

    def write(self, number: int, depth: Map, likeness: Map) -> None:
        """Keep the depth (> 0) of a view, and how much its neighbours look alike there (0..1).

        Raises:
            S3DError: the file system refuses.
        """
        self._scales[number] = float(depth.max()) / _MOST
        self._write(self._folder / f"{number}.png", _counts(depth, self._scales[number]))
        self._write(self._folder / f"{number}-likeness.png", np.rint(likeness * 255).astype(np.uint8))

    def read(self, number: int) -> tuple[Map, Map]:
        """Depth and likeness of a view."""
        counts, alike = (
            cv2.imread(str(self._folder / name), cv2.IMREAD_UNCHANGED)
            for name in (f"{number}.png", f"{number}-likeness.png")
        )
        depth = np.maximum(counts, np.uint16(1)).astype(np.float32) * np.float32(self._scales[number])
        return depth, alike.astype(np.float32) / np.float32(255)


def with_depth(frame: Frame, folder: Path, depth: Map, confidence: Map, write: Write) -> Frame:
    """Write `depth/NAME.png` (uint16) and `confidence/NAME.png` (uint8, 255 = 1) into a folder; returns the frame with them.

    Args:
        depth: in the undistorted image, of any size; units of the gauge along z, 0 = none.
        confidence: 0..1.

    Raises:
        S3DError: the file system refuses.
    """
    width, height = frame.camera.width, frame.camera.height
    depth, confidence = (
        _enlarged(depth, width, height),
        cv2.resize(confidence, (width, height), interpolation=cv2.INTER_NEAREST),
    )
    if frame.lens is not None:
        columns, rows = distortion_maps(frame.lens, width, height)
        depth, confidence = _moved(depth, columns, rows), _nearest(confidence, columns, rows)
    name = f"{Path(frame.file_path).name}.png"  # a.jpg and a.png may both be there
    scale = max(float(depth.max()), 1e-30) / _MOST
    write(folder / "depth" / name, _counts(depth, scale))
    write(folder / "confidence" / name, np.rint(confidence * 255).astype(np.uint8))
    return replace(
        frame,
        depth_path=folder / "depth" / name,
        depth_scale=scale,
        confidence_path=folder / "confidence" / name,
    )


def _counts(depth: Map, scale: float) -> UInt16[np.ndarray, "h w"]:
    return np.rint(depth / np.float32(scale)).clip(0, _MOST).astype(np.uint16)


def _enlarged(depth: Map, width: int, height: int) -> Float32[np.ndarray, "H W"]:
    """In another size; between the pixels of one surface linearly, and from the nearest pixel at its border."""
    if depth.shape == (height, width):
        return depth
    nearest = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
    return _smooth_or(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR), nearest)


def _moved(depth: Map, columns: Map, rows: Map) -> Map:
    linear = cv2.remap(depth, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return _smooth_or(linear, _nearest(depth, columns, rows))


def _nearest(values: Map, columns: Map, rows: Map) -> Map:
    return cv2.remap(values, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)


def _smooth_or(linear: Map, nearest: Map) -> Map:
    return np.where(np.abs(linear - nearest) <= _SMOOTH * nearest, linear, nearest)
