"""Farthest point sampling over every point, fast enough for a million points and a thousand seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LEAF = 1024  # points a bucket holds, at most


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
        fresh = (buckets.points[near] - seed[:, None]).square_().sum(1)
        old = distance[near]
        nearest[near] = torch.where(fresh < old, len(seeds) - 1, nearest[near])
        distance[near] = torch.minimum(fresh, old)
        farthest[near] = distance[near].amax(1)
        bucket = int(farthest.argmax())
        if len(seeds) == count or farthest[bucket] <= 0:
            break
        seeds.append(int(buckets.rows[bucket, int(distance[bucket].argmax())]))
    result = torch.empty(len(points), dtype=torch.int64)
    result[buckets.rows[~buckets.filler]] = nearest[~buckets.filler]
    return torch.tensor(seeds), result


def _buckets(points: Float[Tensor, "n d"]) -> _Buckets:
    """A k-d tree's leaves: halves at the median of the widest axis until at most `_LEAF` points are left."""
    array = points.numpy()
    leaves = [np.arange(len(array))]
    while len(leaves[-1]) > _LEAF:
        leaves = [half for leaf in leaves for half in _halves(array, leaf)]
    size = max(len(leaf) for leaf in leaves)
    rows = np.stack([np.pad(leaf, (0, size - len(leaf)), mode="edge") for leaf in leaves])
    filler = np.arange(size) >= np.array([len(leaf) for leaf in leaves])[:, None]
    grouped = torch.from_numpy(np.ascontiguousarray(array[rows].transpose(0, 2, 1)))
    return _Buckets(grouped, torch.from_numpy(rows), torch.from_numpy(filler), grouped.amin(2), grouped.amax(2))


def _halves(array: np.ndarray, leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = array[leaf]
    middle = (len(leaf) + 1) // 2  # the first half is never the smaller one
    order = np.argpartition(points[:, np.argmax(np.ptp(points, axis=0))], middle - 1)
    return leaf[order[:middle]], leaf[order[middle:]]
