"""What is kept of an image to compare its depth with that of others: a small image of whole surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from s3d_splat.alignment.pixels import DepthPair
from s3d_splat.geometry.cameras import project, unproject_depth
from s3d_splat.types import Camera

_WIDTH = 80  # columns, about
_STEEP = 1.15  # a block of pixels whose depths differ by more than this factor shows no single surface
_STEPS = (1, 4)  # an image is compared with those that come so much later
_PLACES, _APART = 4, 12  # and with so many of about the same view, at least so much later or earlier
_WINDOW = 0.15  # logarithms of ratios beyond this are of different surfaces
_FEWEST = 30  # points that a ratio rests on
_SHARE = 0.3  # of the points in view that must lie on the same surface


@dataclass(frozen=True)
class Thumbnail:
    """The depth of one source of an image."""

    camera: Camera
    depth: Float[Tensor, "h w"]  # 0 = none, or a block across an edge


def thumbnail(pair: DepthPair, camera: Camera) -> Thumbnail:
    """The mean depth of square blocks of pixels, weighted by confidence; 0 where a block is steep or half empty."""
    side = max(1, round(camera.width / _WIDTH))
    rows, columns = camera.height // side, camera.width // side
    small = replace(
        camera,
        fx=camera.fx / side,
        fy=camera.fy / side,
        cx=camera.cx / side,
        cy=camera.cy / side,
        width=columns,
        height=rows,
    )
    depth, confidence = (
        layer[: rows * side, : columns * side].reshape(rows, side, columns, side).transpose(1, 2).flatten(2)
        for layer in pair
    )
    known = (depth > 0) & (confidence > 0)
    weight = torch.where(known, confidence, 0.0)
    # Inverse depth is linear across a plane: its mean is that of the block's centre.
    mean = weight.sum(-1) / (weight / depth.clamp(min=1e-9)).sum(-1).clamp(min=1e-12)
    nearest = torch.where(known, depth, torch.inf).amin(-1)
    farthest = torch.where(known, depth, 0.0).amax(-1)
    usable = (2 * known.sum(-1) >= side * side) & (farthest <= _STEEP * nearest)
    return Thumbnail(small, torch.where(usable, mean, 0.0))


def compared_pairs(thumbnails: Sequence[Thumbnail]) -> list[tuple[int, int]]:
    """Which images are compared: each with two later ones, and with a few that have about its view at another time."""
    count = len(thumbnails)
    pairs = {(i, i + step) for i in range(count) for step in _STEPS if i + step < count}
    if count > _APART:
        poses = torch.stack([thumbnail.camera.T_world_camera.double() for thumbnail in thumbnails]).numpy()
        known = [float(t.depth[t.depth > 0].median()) for t in thumbnails if bool(t.depth.any())]
        typical = float(np.median(known)) if known else 1.0
        # A step of the typical depth sideways counts as much as a turn of 90 degrees.
        places = np.concatenate([poses[:, :3, 3] / typical, poses[:, :3, 2] / np.sqrt(2.0)], axis=1)
        _, nearest = cKDTree(places).query(places, k=min(count, 4 * _APART), distance_upper_bound=0.7)
        for i, row in enumerate(nearest):
            apart = [int(j) for j in row if j < count and abs(int(j) - i) >= _APART]
            pairs |= {(min(i, j), max(i, j)) for j in apart[:_PLACES]}
    return sorted(pairs)


def ratio_between(first: Thumbnail, second: Thumbnail, first_log: float, second_log: float) -> tuple[float, float] | None:
    """By how much the log scale of the second depth must grow more than that of the first, from points that both see.

    A surface in front of a point, which hides it from the other image, makes both directions err to the same side: the mean
    of forth and back does not feel it.

    Args:
        first_log, second_log: logarithms of the factors that the depths are multiplied with before they are compared.

    Returns:
        The difference and its standard error; None if too few points are seen by both.
    """
    forth = _seen_ratio(first, second, first_log, second_log)
    back = _seen_ratio(second, first, second_log, first_log)
    if forth is None or back is None:
        return None
    return (forth[0] - back[0]) / 2, float(np.hypot(forth[1], back[1])) / 2


def _seen_ratio(source: Thumbnail, target: Thumbnail, source_log: float, target_log: float) -> tuple[float, float] | None:
    """Median and its error of the log ratio of the depth of the source's points, seen from the target, to the target's."""
    here, there = source.depth * float(np.exp(source_log)), target.depth * float(np.exp(target_log))
    points = unproject_depth(here, source.camera)[here > 0]
    pixels, z = project(points, target.camera)
    column, row = torch.floor(pixels).long().unbind(-1)
    seen = (z > 0) & (column >= 0) & (column < there.shape[1]) & (row >= 0) & (row < there.shape[0])
    depth = there[row[seen], column[seen]]
    ratio = (z[seen][depth > 0] / depth[depth > 0]).log()
    return median_near_zero(ratio, window=_WINDOW, fewest=max(_FEWEST, round(_SHARE * len(ratio))))


def median_near_zero(values: Float[Tensor, " n"], window: float, fewest: int = _FEWEST) -> tuple[float, float] | None:
    """The median of the values within `window` of 0, then of those near it, and its standard error; None of too few."""
    near = values[values.abs() < window]
    for _ in range(2):
        if len(near) < fewest:
            return None
        middle = near.median()
        deviation = (near - middle).abs().median()
        near = values[(values - middle).abs() <= torch.clamp(4 * deviation, min=1e-3)]
    if len(near) < fewest:
        return None
    error = 1.2533 * 1.4826 * float((near - near.median()).abs().median()) / np.sqrt(len(near))
    return float(near.median()), max(error, 1e-4)
