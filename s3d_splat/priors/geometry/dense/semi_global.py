"""Costs that neighbouring pixels bear together: where an image has little texture, the surface around it decides.

Source: H. Hirschmüller, "Stereo processing by semiglobal matching and mutual information", TPAMI 2008.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32

_EDGE = 8.0  # grey levels from pixel to pixel at which a jump costs half as much

Volume = Float32[np.ndarray, "n m d"]


def aggregated(cost: Volume, grey: Float32[np.ndarray, "n m"], step: float, jump: float) -> Volume:
    """The sum over eight straight paths to every pixel of the cheapest way to come there with each hypothesis.

    Args:
        cost: of each hypothesis in each pixel; neighbouring hypotheses are neighbouring depths.
        grey: the image, 0..255; jumps are cheaper where it changes.
        step: what it costs to go to the next hypothesis from pixel to pixel.
        jump: what it costs to go to any other, at most; at least twice `step` is taken.
    """
    total = np.zeros_like(cost)
    for turned, image, target in _directions(cost, grey, total):
        price = _jump_prices(image, step, jump)
        for shift in (-1, 0, 1):
            _descend(turned, price, shift, np.float32(step), target)
    for turned, image, target in _directions(cost.transpose(1, 0, 2), grey.T, total.transpose(1, 0, 2)):
        _descend(np.ascontiguousarray(turned), _jump_prices(image, step, jump), 0, np.float32(step), target)
    return total


def lowest(cost: Volume) -> tuple[Float32[np.ndarray, "n m"], Float32[np.ndarray, "n m"]]:
    """The cheapest hypothesis of each pixel, as a fractional number (vertex of a parabola), and its cost."""
    best = cost.argmin(axis=2)
    inner = best.clip(1, cost.shape[2] - 2)
    before, here, after = (np.take_along_axis(cost, (inner + by)[..., None], axis=2)[..., 0] for by in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.where(bend > 1e-6, (before - after) / np.maximum(2 * bend, 1e-6), 0).clip(-0.5, 0.5)
    place = np.where(best == inner, best + offset, best).astype(np.float32)
    return place, np.take_along_axis(cost, best[..., None], axis=2)[..., 0]


def _directions(cost: Volume, grey: np.ndarray, total: Volume) -> Iterator[tuple[Volume, np.ndarray, Volume]]:
    yield cost, grey, total
    yield cost[::-1], grey[::-1], total[::-1]


def _jump_prices(grey: Float32[np.ndarray, "n m"], step: float, jump: float) -> Float32[np.ndarray, "n m"]:
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return np.maximum(jump / (1 + change / _EDGE), 2 * step).astype(np.float32)


def _descend(cost: Volume, jump: Float32[np.ndarray, "n m"], shift: int, step: np.float32, total: Volume) -> None:
    """Add the paths that go from row to row, `shift` pixels to the side in each; all pixels of a row at once."""
    before = cost[0]
    total[0] += before
    for row in range(1, len(cost)):
        if shift:
            before = np.roll(before, shift, axis=0)
            before[0 if shift > 0 else -1] = 0  # paths begin at the border
        least = before.min(axis=1, keepdims=True)
        path = np.minimum(before, least + jump[row, :, None])
        np.minimum(path[:, 1:], before[:, :-1] + step, out=path[:, 1:])
        np.minimum(path[:, :-1], before[:, 1:] + step, out=path[:, :-1])
        path -= least
        path += cost[row]
        total[row] += path
        before = path
