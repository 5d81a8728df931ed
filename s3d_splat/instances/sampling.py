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

    points: Float[np.ndarray, "b d s"]
    rows: Int[np.ndarray, "b s"]
    filler: Bool[np.ndarray, "b s"]
    low: Float[np.ndarray, "d b"]
    high: Float[np.ndarray, "d b"]


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
    # By numpy, in one thread: a step is so short that threads would wait for each other longer than they work.
    buckets, array = _buckets(points), points.numpy()
    distance = np.where(buckets.filler, -1, np.inf).astype(array.dtype)  # squared
    nearest = np.zeros_like(buckets.rows)
    farthest = distance.max(1)
    seeds = [start]
    while True:
        seed = array[seeds[-1], :, None]
        gap = np.maximum(buckets.low - seed, 0) + np.maximum(seed - buckets.high, 0)
        near = np.flatnonzero(np.einsum("db,db->b", gap, gap) < farthest)
        apart = buckets.points[near] - seed
        fresh = np.einsum("bds,bds->bs", apart, apart)
        old = distance[near]
        nearest[near] = np.where(fresh < old, len(seeds) - 1, nearest[near])
        distance[near] = shortest = np.minimum(fresh, old)
        farthest[near] = shortest.max(1)
        bucket = farthest.argmax()
        if len(seeds) == count or farthest[bucket] <= 0:
            break
        seeds.append(int(buckets.rows[bucket, distance[bucket].argmax()]))
    result = np.empty(len(points), dtype=np.int64)
    result[buckets.rows[~buckets.filler]] = nearest[~buckets.filler]
    return torch.tensor(seeds), torch.from_numpy(result)


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
    grouped = columns[:, place]
    points_of = np.ascontiguousarray(grouped.transpose(1, 0, 2))
    return _Buckets(points_of, rows, slot >= sizes, grouped.min(2), grouped.max(2))


def _halves(rows: np.ndarray, columns: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both halves of the points in `columns` ([d, n], whose rows are given): their rows and their columns.

    Halves take their points along: looked up in all points by row they would come from all over the memory.
    """
    middle = (len(rows) + 1) // 2  # the first half is never the smaller one
    order = np.argpartition(columns[np.argmax(np.ptp(columns, axis=1))], middle - 1)
    return [(rows[half], columns.take(half, axis=1)) for half in (order[:middle], order[middle:])]
