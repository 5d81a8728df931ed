"""Depth of one camera as another camera beside it sees it.

Each depth pixel is drawn into the other image as a tile that reaches half way to its neighbours on the same surface, so that
no sieve of holes opens on slanted or magnified surfaces; of several tiles on a pixel the nearest stays.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt16

from s3d_splat.io.readers.calibration import RgbdCalibration, SensorCamera

_SAME_SURFACE = 0.03  # neighbours whose depths differ by less than this share of them lie on one surface
_MOST = 8  # pixels that a tile may be wide
NO_DEPTH = 65535  # how some sensors write "no depth"; 0 means it as well

Plane = Float[np.ndarray, "h w"]


def register_depth(
    counts: UInt16[np.ndarray, "h w"], calibration: RgbdCalibration, width: int, height: int
) -> UInt16[np.ndarray, "{height} {width}"]:
    """The depth image (counts along z; 0 and 65535 = none) as the colour camera sees it, with the same scale, 0 = none.

    Args:
        width, height: size of the colour image, in pixels.
    """
    depth = np.where(counts == NO_DEPTH, 0, counts) * calibration.depth_scale
    column, row, seen_depth = _in_colour(depth, calibration)
    left, right = _edges(column, depth, seen_depth, calibration.colour.fx / calibration.depth.fx, axis=1)
    top, bottom = _edges(row, depth, seen_depth, calibration.colour.fy / calibration.depth.fy, axis=0)
    drawn = _draw_tiles((left, right, top, bottom), np.where(depth > 0, seen_depth, 0.0), width, height)
    scaled = np.rint(_without_pinholes(drawn) / calibration.depth_scale)
    return np.where(scaled < NO_DEPTH, scaled, 0).astype(np.uint16)


def _in_colour(depth: Plane, calibration: RgbdCalibration) -> tuple[Plane, Plane, Plane]:
    """Where the points of the depth pixels fall in the colour image (pixels), and their depth there (metres)."""
    camera, colour = calibration.depth, calibration.colour
    height, width = depth.shape
    x = (np.arange(width) + 0.5 - camera.cx) / camera.fx
    y = ((np.arange(height) + 0.5 - camera.cy) / camera.fy)[:, None]
    rotation, shift = calibration.T_colour_depth[:3, :3], calibration.T_colour_depth[:3, 3]
    across, down, seen = (depth * (to[0] * x + to[1] * y + to[2]) + by for to, by in zip(rotation, shift, strict=True))
    away = 1 / np.where(seen > 0, seen, 1.0)
    column, row = _distorted(across * away, down * away, colour)
    return colour.fx * column + colour.cx, colour.fy * row + colour.cy, np.where(seen > 0, seen, 0.0)


def _distorted(x: Plane, y: Plane, camera: SensorCamera) -> tuple[Plane, Plane]:
    """OpenCV's model of a lens, on the plane at depth 1."""
    if not any(camera.distortion):
        return x, y
    k1, k2, p1, p2, k3 = camera.distortion
    squared = x * x + y * y
    radial = 1 + squared * (k1 + squared * (k2 + squared * k3))
    return (
        x * radial + 2 * p1 * x * y + p2 * (squared + 2 * x * x),
        y * radial + p1 * (squared + 2 * y * y) + 2 * p2 * x * y,
    )


def _edges(place: Plane, depth: Plane, seen: Plane, magnified: float, *, axis: int) -> tuple[Plane, Plane]:
    """First and last edge of every tile along one axis: half way to the neighbour, or half a pixel of the depth image."""
    half = 0.5 * magnified * depth / np.where(seen > 0, seen, 1.0)
    before, after = place - half, place + half
    first, second = ((slice(None),) * axis + (slice(None, -1),), (slice(None),) * axis + (slice(1, None),))
    nearer = np.minimum(depth[first], depth[second])
    joined = (nearer > 0) & (np.abs(depth[first] - depth[second]) < _SAME_SURFACE * nearer) & (place[second] > place[first])
    middle = 0.5 * (place[first] + place[second])
    after[first] = np.where(joined, middle, after[first])
    before[second] = np.where(joined, middle, before[second])
    return before, after


def _draw_tiles(
    edges: tuple[Plane, Plane, Plane, Plane], depth: Plane, width: int, height: int
) -> Float[np.ndarray, "{height} {width}"]:
    """The nearest depth among the tiles over each pixel's centre; 0 where there is none."""
    limits = (width, width, height, height)
    clipped = [np.ceil(edge - 0.5).clip(0, limit).astype(np.int32) for edge, limit in zip(edges, limits, strict=True)]
    left, right, top, bottom = (edge[depth > 0] for edge in clipped)
    columns, rows, seen = np.minimum(right - left, _MOST), np.minimum(bottom - top, _MOST), depth[depth > 0]
    nearest = np.full(width * height, np.inf)
    for down in range(int(rows.max(initial=0))):
        for across in range(int(columns.max(initial=0))):
            (drawn,) = np.nonzero((columns > across) & (rows > down))
            np.minimum.at(nearest, (top[drawn] + down) * width + left[drawn] + across, seen[drawn])
    return np.where(np.isfinite(nearest), nearest, 0.0).reshape(height, width)


def _without_pinholes(depth: Plane) -> Plane:
    """Single empty pixels between two of one surface get the mean of these."""
    padded = np.pad(depth, 1)
    filled = depth.copy()
    pairs = ((padded[1:-1, :-2], padded[1:-1, 2:]), (padded[:-2, 1:-1], padded[2:, 1:-1]))
    for one, other in pairs:
        nearer = np.minimum(one, other)
        fits = (depth == 0) & (filled == 0) & (nearer > 0) & (np.abs(one - other) < _SAME_SURFACE * nearer)
        filled[fits] = 0.5 * (one + other)[fits]
    return filled
