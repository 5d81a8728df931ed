"""Masks lifted into space: a bounded number of pixels of every image, counted by cells of a grid."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.alignment.identity.values import Cells, LiftedFrame
from s3d_splat.alignment.pixels import fused_depth, load_masks
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.geometry.voxels import voxel_keys
from s3d_splat.types import Camera

_MAX_POINTS = 20_000  # lifted pixels of an image
_MAX_ID = 1 << 16


def lift(frame: WorldFrame, size: float) -> LiftedFrame:
    """The masks of all sources of a frame, in cells with edge `size` (world units).

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    masks = load_masks(frame)
    pairs = [(source.cluster, mask) for source, mask in zip(frame.sources, masks, strict=True) if mask is not None]
    clusters, given = tuple(cluster for cluster, _ in pairs), [mask.numpy().ravel() for _, mask in pairs]
    depth = fused_depth(frame)[0] if given else torch.zeros(0, 0)
    grid = sampled_pixels(frame.camera.height, frame.camera.width)
    flat = depth.numpy().ravel()
    known = grid[flat[grid] > 0] if given else grid[:0]
    if len(known) < _MAX_POINTS // 20:  # sparse points: every one counts
        known = np.flatnonzero(flat > 0)
    keys = voxel_keys(unprojected(frame.camera, known, flat[known]), size).numpy()
    counts = [np.bincount(ids) for ids in given]
    present = [np.flatnonzero(count[1:]) + 1 for count in counts]
    return LiftedFrame(
        index=frame.index,
        is_test=frame.is_test,
        clusters=clusters,
        cells=tuple(_cells(keys, ids[known]) for ids in given),
        pixels=tuple(ids[grid] for ids in given),
        labelled=tuple((ids, count[ids]) for ids, count in zip(present, counts, strict=True)),
    )


def sampled_pixels(height: int, width: int) -> Int[np.ndarray, " p"]:
    """Row-major numbers of at most `_MAX_POINTS` pixels, or a few more, on a regular grid."""
    step = max(1, int(np.ceil(np.sqrt(height * width / _MAX_POINTS))))
    rows, columns = np.arange(step // 2, height, step), np.arange(step // 2, width, step)
    return (rows[:, None] * width + columns).ravel()


def unprojected(camera: Camera, pixels: Int[np.ndarray, " p"], depth: Float[np.ndarray, " p"]) -> Float[Tensor, "p 3"]:
    """World points at `depth` (along z) behind some pixels, given by their row-major numbers."""
    row, column = np.divmod(pixels, camera.width)
    x, y = (column + 0.5 - camera.cx) / camera.fx * depth, (row + 0.5 - camera.cy) / camera.fy * depth
    pose = camera.T_world_camera.double()
    return torch.from_numpy(np.stack([x, y, depth], axis=-1)).double() @ pose[:3, :3].T + pose[:3, 3]


def _cells(keys: Int[np.ndarray, " p"], ids: Int[np.ndarray, " p"]) -> Cells:
    labelled = ids > 0
    cell, place = np.unique(keys[labelled], return_inverse=True)
    pairs, count = np.unique(place * _MAX_ID + ids[labelled], return_counts=True)
    return Cells(cell[pairs // _MAX_ID], (pairs % _MAX_ID).astype(np.int64), count.astype(np.float32))
