"""Depth of a frame at some pixels, and points that two clusters measured in the same pixels of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree

from s3d_splat.io.observations import load_confidence, load_depth
from s3d_splat.types import Camera, Frame, SparseDepth

_DENSE = 400  # pixels of an image that are compared
_PIXEL = 1.0  # pixels: a sparse point that lies nearer than this is the point of a pixel


@dataclass(frozen=True)
class Measured:
    """One image as one cluster knows it."""

    frame: Frame
    sparse: SparseDepth | None

    @property
    def has_depth(self) -> bool:
        return self.frame.depth_path is not None or self.sparse is not None


@dataclass(frozen=True)
class PointPairs:
    """One image, measured twice: points in the axes of the two cameras, each in its own gauge's unit."""

    first: Float[np.ndarray, "n 3"]
    second: Float[np.ndarray, "n 3"]
    confidence: Float[np.ndarray, " n"]  # 0..1

    def log_ratio(self) -> float:
        """The median of log(depth of the first / depth of the second)."""
        return float(np.median(np.log(self.first[:, 2] / self.second[:, 2])))


def shared_points(first: Measured, second: Measured) -> PointPairs | None:
    """What two clusters say of the depth of one image, at about 400 pixels or at the sparse points that both have.

    Returns:
        None where no pixel has depth in both.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than its camera.
    """
    if not (first.has_depth and second.has_depth):
        return None
    if first.frame.depth_path is None and first.sparse is not None:
        pixels = first.sparse.pixels.double().numpy()
    elif second.frame.depth_path is None and second.sparse is not None:
        pixels = _same_pixels(second.sparse.pixels.double().numpy(), second.frame, first.frame)
    else:
        pixels = _grid(first.frame.camera)
    other = _same_pixels(pixels, first.frame, second.frame)
    (depth, confidence), (depth_other, confidence_other) = depth_at(first, pixels), depth_at(second, other)
    known = (depth > 0) & (depth_other > 0)
    if not known.any():
        return None
    return PointPairs(
        unprojected(first.frame.camera, pixels[known], depth[known]),
        unprojected(second.frame.camera, other[known], depth_other[known]),
        np.sqrt(confidence[known] * confidence_other[known]),
    )


def depth_at(
    measured: Measured, pixels: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Depth (units of the gauge, 0 = none) and confidence (0..1) of an image at pixel positions (x, y).

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    frame = measured.frame
    dense = load_depth(frame)
    if dense is None:
        return _nearest_sparse(measured.sparse, pixels)
    trusted = load_confidence(frame)
    columns, rows = (torch.from_numpy(np.floor(pixels[:, k]).astype(np.int64)) for k in (0, 1))
    inside = (columns >= 0) & (columns < frame.camera.width) & (rows >= 0) & (rows < frame.camera.height)
    columns, rows = columns.clamp(0, frame.camera.width - 1), rows.clamp(0, frame.camera.height - 1)
    depth = torch.where(inside, dense[rows, columns].double(), 0.0)
    confidence = (depth > 0).double() if trusted is None else torch.where(depth > 0, trusted[rows, columns].double(), 0.0)
    return depth.numpy(), confidence.numpy()


def unprojected(
    camera: Camera, pixels: Float[np.ndarray, "n 2"], depth: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    """Points in the camera's axes."""
    x, y = (pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy
    return np.stack([x * depth, y * depth, depth], axis=1)


def _grid(camera: Camera) -> Float[np.ndarray, "n 2"]:
    """Pixel centres in rows and columns, about `_DENSE` of them."""
    step = max(1, int(np.sqrt(camera.width * camera.height / _DENSE)))
    x, y = np.meshgrid(np.arange(step // 2, camera.width, step) + 0.5, np.arange(step // 2, camera.height, step) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _same_pixels(pixels: Float[np.ndarray, "n 2"], source: Frame, target: Frame) -> Float[np.ndarray, "n 2"]:
    """The same pixels in another cluster's camera of the image; they differ where the lens was undone differently."""
    if source.lens == target.lens:
        return pixels
    a, b = source.camera, target.camera
    focal, own = np.array([b.fx, b.fy]), np.array([a.fx, a.fy])
    return (pixels - np.array([a.cx, a.cy])) / own * focal + np.array([b.cx, b.cy])


def _nearest_sparse(
    sparse: SparseDepth | None, pixels: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    if sparse is None or len(sparse.depth) == 0:
        return np.zeros(len(pixels)), np.zeros(len(pixels))
    distance, index = cKDTree(sparse.pixels.numpy()).query(pixels, distance_upper_bound=_PIXEL)
    found = np.isfinite(distance)
    depth = np.where(found, sparse.depth.double().numpy()[np.where(found, index, 0)], 0.0)
    return depth, (depth > 0).astype(np.float64)
