"""Holes of a picture filled by shifted parts of itself.

After "shift-map image editing" (Pritch, Kav-Venaki and Peleg, ICCV 2009), greedily: the shift under which the picture agrees
best with itself round the hole fills all of the hole that it can, and the next one what is left. Patterns go on as they are,
and colours are bent to meet those at the rim, as in mean-value cloning (Farbman et al., SIGGRAPH 2009).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool2d

_RIM = 10  # texels round a hole that a shift is judged by
_UNCOVERED = 0.1  # cost of a shift that covers nothing of the hole: a squared difference of colours
_RIM_POINTS = 800  # of them, about, that colours are bent by
_SHIFTS = 16
_LEAST_GAIN = 3  # texels that a shift must fill


@dataclass(frozen=True)
class Patch:
    """A part of a hole and where its texels come from."""

    filled: Bool[Tensor, "h w"]  # with a margin that overlaps with what is round it
    shift: tuple[int, int]  # rows and columns from a filled texel to its source
    colour: Float[Tensor, "h w 3"]  # what to add to the source's colours, where filled


def patches(
    colour: Float[Tensor, "h w 3"], known: Bool[Tensor, "h w"], hole: Bool[Tensor, "h w"], bleed: int
) -> Iterator[Patch]:
    """Parts that fill a hole; what no shift reaches stays open.

    Nothing is taken from within `bleed` texels of what is not known, where the colours of other things mix in. Parts overlap
    with each other and the rim by as much.
    """
    picture, present, left = colour.clone(), known & ~hole, hole.clone()
    source = ~grown(~present, bleed)
    for _ in range(_SHIFTS):
        rim = grown(left, _RIM) & present
        if int(left.sum()) < 1 or not rim.any():
            return
        shift = _best_shift(colour, source, picture, rim, left)
        if shift is None:
            return
        taken, valid = _shifted(colour, shift), _shifted(source[..., None], shift)[..., 0]
        filled = left & valid
        if int(filled.sum()) < min(_LEAST_GAIN, int(left.sum())):
            return
        wider = grown(filled, bleed) & valid
        bend = _bend(picture - taken, rim & valid, wider)
        picture = torch.where(filled[..., None], taken + bend, picture)
        present, left = present | filled, left & ~filled
        yield Patch(wider, shift, bend)


def _best_shift(
    colour: Float[Tensor, "h w 3"],
    source: Bool[Tensor, "h w"],
    picture: Float[Tensor, "h w 3"],
    rim: Bool[Tensor, "h w"],
    hole: Bool[Tensor, "h w"],
) -> tuple[int, int] | None:
    """The shift with the least squared difference over the rim; all shifts at once, by correlations."""
    valid, wanted = source.to(colour), rim.to(colour)
    taken = colour * valid[..., None]
    target = picture * wanted[..., None]
    count = _correlation(wanted, valid)
    squares = _correlation((target**2).sum(-1), valid) + _correlation(wanted, (taken**2).sum(-1))
    cross = sum(_correlation(target[..., channel], taken[..., channel]) for channel in range(3))
    cover = _correlation(hole.to(colour), valid)
    difference = (squares - 2 * cross).clamp(min=0) / count.clamp(min=1)
    cost = difference + _UNCOVERED * (1 - cover / hole.sum())
    usable = (count >= 0.3 * wanted.sum()) & (cover >= 0.5)
    if not usable.any():
        return None
    best = int(torch.where(usable, cost, float("inf")).argmin())
    row, column = divmod(best, cost.shape[1])
    return _signed(row, cost.shape[0]), _signed(column, cost.shape[1])


def _correlation(a: Float[Tensor, "h w"], b: Float[Tensor, "h w"]) -> Float[Tensor, "p q"]:
    """Sum over x of a(x) b(x + shift), for every shift; negative shifts count from the end."""
    size = (2 * a.shape[0], 2 * a.shape[1])
    return torch.fft.irfft2(torch.fft.rfft2(a, s=size).conj() * torch.fft.rfft2(b, s=size), s=size)


def _signed(value: int, period: int) -> int:
    return value if value < period // 2 else value - period


def _shifted(values: Tensor, shift: tuple[int, int]) -> Tensor:
    """values[x + shift], 0 outside."""
    result = torch.zeros_like(values)
    height, width = values.shape[:2]
    (row, column) = shift
    to_rows, to_columns = slice(max(0, -row), height - max(0, row)), slice(max(0, -column), width - max(0, column))
    from_rows, from_columns = slice(max(0, row), height + min(0, row)), slice(max(0, column), width + min(0, column))
    result[to_rows, to_columns] = values[from_rows, from_columns]
    return result


def _bend(
    difference: Float[Tensor, "h w 3"], rim: Bool[Tensor, "h w"], filled: Bool[Tensor, "h w"]
) -> Float[Tensor, "h w 3"]:
    """The differences at the rim, carried into the hole: means weighed by the inverse square of the distance."""
    result = torch.zeros_like(difference)
    at, inside = rim.nonzero(), filled.nonzero().to(difference)
    if not len(at):
        return result
    at = at[:: 1 + len(at) // _RIM_POINTS]
    weight = 1 / torch.cdist(inside, at.to(difference)).square().clamp(min=4.0)
    result[filled] = (weight @ difference[at[:, 0], at[:, 1]]) / weight.sum(1, keepdim=True)
    return result


def grown(mask: Bool[Tensor, "h w"], texels: int) -> Bool[Tensor, "h w"]:
    """The mask and what is at most so many texels away from it, along rows and columns."""
    if texels < 1:
        return mask
    return max_pool2d(mask.float()[None, None], 2 * texels + 1, stride=1, padding=texels)[0, 0] > 0
