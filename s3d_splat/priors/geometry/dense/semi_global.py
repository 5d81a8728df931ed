"""Costs that neighbouring pixels bear together: where an image has little texture, the surface around it decides.

Source: H. Hirschmüller, "Stereo processing by semiglobal matching and mutual information", TPAMI 2008.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

_EDGE = 8.0  # grey levels from pixel to pixel at which a jump costs half as much

Volume = Float32[np.ndarray, "d n m"]
Image = Float32[np.ndarray, "n m"]


def aggregated(cost: Volume, grey: Image, step: float, jump: float) -> Volume:
    """The sum over eight straight paths to every pixel of the cheapest way to come there with each hypothesis.

    Args:
        cost: of each hypothesis in each pixel; neighbouring hypotheses are neighbouring depths.
        grey: the image, 0..255; jumps are cheaper where it changes.
        step: what it costs to go to the next hypothesis from pixel to pixel.
        jump: what it costs to go to any other, at most; at least twice `step` is taken.
    """
    total = np.zeros_like(cost)
    for shift in (-1, 0, 1):
        _add_both_ways(cost, grey, shift, (step, jump), total)
    turned = np.ascontiguousarray(cost.transpose(0, 2, 1))
    across = np.zeros_like(turned)
    _add_both_ways(turned, np.ascontiguousarray(grey.T), 0, (step, jump), across)
    total += across.transpose(0, 2, 1)
    return total


def lowest(cost: Volume) -> Image:
    """The cheapest hypothesis of each pixel, as a fractional number: the vertex of a parabola."""
    best = cost.argmin(axis=0)
    inner = best.clip(1, len(cost) - 2)
    before, here, after = (np.take_along_axis(cost, (inner + by)[None], axis=0)[0] for by in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.where(bend > 1e-6, (before - after) / np.maximum(2 * bend, 1e-6), 0).clip(-0.5, 0.5)
    return np.where(best == inner, best + offset, best).astype(np.float32)


def _add_both_ways(cost: Volume, grey: Image, shift: int, prices: tuple[float, float], total: Volume) -> None:
    """Add the paths from the first row to the last, `shift` pixels to the side in each, and those back."""
    _descend(cost, grey, shift, prices, total)
    _descend(cost[:, ::-1], grey[::-1], shift, prices, total[:, ::-1])


def _descend(cost: Volume, grey: Image, shift: int, prices: tuple[float, float], total: Volume) -> None:
    """All pixels of a row go on to the next row at once."""
    step, jump = prices
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    jumps = np.maximum(jump / (1 + change / _EDGE), 2 * step).astype(np.float32)
    before = cost[:, 0]
    total[:, 0] += before
    for row in range(1, cost.shape[1]):
        if shift:
            before = np.roll(before, shift, axis=1)
            before[:, 0 if shift > 0 else -1] = 0  # paths begin at the border
        least = before.min(axis=0)
        path = np.minimum(before, least + jumps[row])
        higher = before + np.float32(step)
        np.minimum(path[1:], higher[:-1], out=path[1:])
        np.minimum(path[:-1], higher[1:], out=path[:-1])
        path -= least
        path += cost[:, row]
        total[:, row] += path
        before = path
