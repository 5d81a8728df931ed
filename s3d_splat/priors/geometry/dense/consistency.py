"""Depth that several views have found independently of each other: what only one has found is mostly wrong.

Source: J. Schönberger et al., "Pixelwise view selection for unstructured multi-view stereo", ECCV 2016 (forward-backward
reprojection); the thresholds of error in pixels and in depth are those that MVSNet's fusion uses, a little wider.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32

from s3d_splat.priors.geometry.dense.sweep import Map, Transfer
from s3d_splat.types import Camera

_PIXELS = 1.5  # between a pixel and where it comes back to from the other view
_SHARE = 0.02  # of the depth

Found = tuple[Camera, Map]


def agreeing(camera: Camera, depth: Map, others: Sequence[Found]) -> tuple[Float32[np.ndarray, "h w"], Map]:
    """How many other views have the same surface in each pixel, and the mean depth of it.

    Args:
        depth: along z, positive everywhere.
        others: cameras with their depth.

    Returns:
        Counts, and depth: the mean of this view's inverse depth and those of the views that agree.
    """
    count, total = np.zeros_like(depth), 1 / depth
    rows, columns = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    for other, found in others:
        column, row, _ = Transfer.between(camera, other).pixels(1 / depth)
        back = _sampled(_seen_back(other, found, camera), column, row)
        away = np.hypot(back[..., 0] - columns, back[..., 1] - rows)
        same = (away < _PIXELS) & (np.abs(back[..., 2] - depth) < _SHARE * depth)
        count += same
        total += np.where(same, 1 / np.maximum(back[..., 2], np.float32(1e-30)), 0)
    return count, (count + 1) / total


def _seen_back(other: Camera, depth: Map, camera: Camera) -> Float32[np.ndarray, "h w 3"]:
    """Column, row and depth in `camera` of the surfaces that another view has found, by the pixels of that view."""
    column, row, share = Transfer.between(other, camera).pixels(1 / depth)
    return np.stack([column, row, share * depth], axis=-1)


def _sampled(values: Float32[np.ndarray, "h w 3"], column: Map, row: Map) -> Float32[np.ndarray, "H W 3"]:
    return cv2.remap(values, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(-1e6,) * 4)
