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
_NONE = 65535  # how some sensors write "no depth"; 0 means it as well

Plane = Float[np.ndarray, "h w"]


def register_depth(
    counts: UInt16[np.ndarray, "h w"], calibration: RgbdCalibration, width: int, height: int
) -> UInt16[np.ndarray, "{height} {width}"]:
    """The depth image (counts along z; 0 and 65535 = none) as the colour camera sees it, with the same scale, 0 = none.

    Args:
        width, height: size of the colour image, in pixels.
    """
    depth = np.where(counts == _NONE, 0, counts) * calibration.depth_scale
    column, row, seen_depth = _in_colour(depth, calibration)
    left, right = _edges(column, depth, seen_depth, calibration.colour.fx / calibration.depth.fx, axis=1)
    top, bottom = _edges(row, depth, seen_depth, calibration.colour.fy / calibration.depth.fy, axis=0)
    drawn = _draw_tiles((left, right, top, bottom), np.where(depth > 0, seen_depth, 0.0), width, height)
    scaled = np.rint(_without_pinholes(drawn) / calibration.depth_scale)
    return np.where(scaled < _NONE, scaled, 0).astype(np.uint16)


def _in_colour(depth: Plane, calibration: RgbdCalibration) -> tuple[Plane, Plane, Plane]:
    """Where the points of the depth pixels fall in the colour image (pixels), and their depth there (metres)."""
    camera, colour = calibration.depth, calibration.colour
    height, width = depth.shape
    x = (np.arange(width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(height) + 0.5 - camera.cy) / camera.fy
    rays = np.stack(
        [np.broadcast_to(x, depth.shape), np.broadcast_to(y[:, None], depth.shape), np.ones_like(depth)], axis=-1
    )
    points = (depth[..., None] * rays) @ calibration.T_colour_depth[:3, :3].T + calibration.T_colour_depth[:3, 3]
    seen = points[..., 2]
    safe = np.where(seen > 0, seen, 1.0)
    x, y = _distorted(points[..., 0] / safe, points[..., 1] / safe, colour)
    return colour.fx * x + colour.cx, colour.fy * y + colour.cy, np.where(seen > 0, seen, 0.0)


def _distorted(x: Plane, y: Plane, camera: SensorCamera) -> tuple[Plane, Plane]:
    """OpenCV's model of a lens, on the plane at depth 1."""
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


def _draw_tiles(edges: tuple[Plane, Plane, Plane, Plane], depth: Plane, width: int, height: int) -> Plane:
    """The nearest depth among the tiles over each pixel's centre; 0 where there is none."""
    left, right, top, bottom = (np.ceil(edge - 0.5).clip(-1e6, 1e6).astype(np.int64) for edge in edges)
    columns, rows = (right - left).clip(0, _MOST), (bottom - top).clip(0, _MOST)
    nearest = np.full(width * height, np.inf)
    for down in range(int(rows.max(initial=0))):
        for across in range(int(columns.max(initial=0))):
            column, row = left + across, top + down
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            drawn = inside & (depth > 0) & (across < columns) & (down < rows)
            np.minimum.at(nearest, row[drawn] * width + column[drawn], depth[drawn])
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
