"""Farthest point sampling over every point, fast enough for a million points and a thousand seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LEAF = 128  # points a bucket holds, at most; small buckets are skipped more often, but there are more to look at


@dataclass(frozen=True)
class _Buckets:
    """Points in groups of one size, each with its bounding box; `filler` repeats a group's first point."""

    points: Float[Tensor, "b d s"]
    rows: Int[Tensor, "b s"]
    filler: Bool[Tensor, "b s"]
    low: Float[Tensor, "b d"]
    high: Float[Tensor, "b d"]


def farthest_points(points: Float[Tensor, "n d"], count: int, start: int = 0) -> tuple[Int[Tensor, " k"], Int[Tensor, " n"]]:
    """Rows of at most `count` seeds, each the point farthest from all before it, and every point's nearest seed (0..k-1).

    The exact greedy sampling (Gonzalez 1985) from the row `start`: every point is within twice the best possible radius of
    a seed. A new seed can only change points whose distance to the earlier seeds exceeds the distance to their bucket's box,
    so all other buckets of a k-d tree are skipped, as in QuickFPS (Han et al. 2023). There are fewer
    seeds than `count` where every point coincides with one.
    """
    count = min(count, len(points))
    if count <= 0:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(len(points), dtype=torch.int64)
    buckets = _buckets(points)
    distance = torch.where(buckets.filler, -1.0, torch.inf)  # squared
    nearest = torch.zeros_like(buckets.rows)
    farthest = distance.amax(1)
    seeds = [start]
    while True:
        seed = points[seeds[-1]]
        gap = (buckets.low - seed).clamp(min=0) + (seed - buckets.high).clamp(min=0)
        near = torch.nonzero(gap.square().sum(1) < farthest)[:, 0]
        # Whole rows by index_select and index_copy_: half the time of brackets.
        fresh = buckets.points.index_select(0, near).sub_(seed[:, None]).square_().sum(1)
        old = distance.index_select(0, near)
        nearest.index_copy_(0, near, torch.where(fresh < old, len(seeds) - 1, nearest.index_select(0, near)))
        shortest = torch.minimum(fresh, old)
        distance.index_copy_(0, near, shortest)
        farthest[near] = shortest.amax(1)
        bucket = int(farthest.argmax())
        if len(seeds) == count or farthest[bucket] <= 0:
            break
        seeds.append(int(buckets.rows[bucket, int(distance[bucket].argmax())]))
    result = torch.empty(len(points), dtype=torch.int64)
    result[buckets.rows[~buckets.filler]] = nearest[~buckets.filler]
    return torch.tensor(seeds), result


def _buckets(points: Float[Tensor, "n d"]) -> _Buckets:
    """A k-d tree's leaves: halves at the median of the widest axis until at most `_LEAF` points are left."""
    leaves = [(np.arange(len(points)), np.ascontiguousarray(points.numpy().T))]
    while len(leaves[-1][0]) > _LEAF:
        leaves = [half for rows, columns in leaves for half in _halves(rows, columns)]
    sizes = np.array([[len(rows)] for rows, _ in leaves])
    slot = np.arange(sizes.max())
    place = np.cumsum(sizes)[:, None] - sizes + np.where(slot < sizes, slot, 0)
    rows = np.concatenate([rows for rows, _ in leaves])[place]
    columns = np.concatenate([columns for _, columns in leaves], axis=1)
    grouped = torch.from_numpy(columns[:, place]).transpose(0, 1).contiguous()
    return _Buckets(grouped, torch.from_numpy(rows), torch.from_numpy(slot >= sizes), grouped.amin(2), grouped.amax(2))


def _halves(rows: np.ndarray, columns: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both halves of the points in `columns` ([d, n], whose rows are given): their rows and their columns.

    Halves take their points along: looked up in all points by row they would come from all over the memory.
    """
    middle = (len(rows) + 1) // 2  # the first half is never the smaller one
    order = np.argpartition(columns[np.argmax(np.ptp(columns, axis=1))], middle - 1)
    return [(rows[half], columns.take(half, axis=1)) for half in (order[:middle], order[middle:])]
