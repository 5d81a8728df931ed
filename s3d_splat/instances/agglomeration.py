"""Hierarchical clustering of a graph whose nodes are compared with their neighbours only."""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Float, Int

_Edge = tuple[float, float]  # sum of weight * rate over the pairs between two groups, sum of their weights
_Entry = tuple[float, int, int, _Edge]  # minus the rate; two groups, the lower first; the edge that it was true for


def average_linkage(
    count: int,
    pairs: Int[np.ndarray, "p 2"],
    rates: Float[np.ndarray, " p"],
    weights: Float[np.ndarray, " p"],
    threshold: float,
) -> Int[np.ndarray, " k"]:
    """The lowest node of the group of each of `count` nodes, after joining the two groups with the best rate, and again.

    The rate of two groups is the mean over all pairs between them, weighted with `weights` (over 0; the same two nodes may
    be a pair many times); they join while it is at least `threshold`. Groups that no pair connects never join.
    """
    edges = _edges(count, pairs, rates, weights)
    queue = [_entry(low, high, edge) for low, near in enumerate(edges) for high, edge in near.items() if low < high]
    queue = [entry for entry in queue if -entry[0] >= threshold]
    heapq.heapify(queue)
    group = np.arange(count)
    while queue:
        _, low, high, edge = heapq.heappop(queue)
        if edges[low].get(high) is not edge:
            continue  # one of the two has grown since
        group[high] = low
        for entry in _absorbed(edges, low, high):
            if -entry[0] >= threshold:
                heapq.heappush(queue, entry)
    while not np.array_equal(group, group[group]):
        group = group[group]
    return group


def _edges(
    count: int, pairs: Int[np.ndarray, "p 2"], rates: Float[np.ndarray, " p"], weights: Float[np.ndarray, " p"]
) -> list[dict[int, _Edge]]:
    """The neighbours of each node."""
    named, place = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    sums = np.bincount(place.ravel(), weights=weights * rates, minlength=len(named))
    totals = np.bincount(place.ravel(), weights=weights, minlength=len(named))
    edges: list[dict[int, _Edge]] = [{} for _ in range(count)]
    for (low, high), edge in zip(named.tolist(), zip(sums.tolist(), totals.tolist(), strict=True), strict=True):
        edges[low][high] = edges[high][low] = edge
    return edges


def _absorbed(edges: list[dict[int, _Edge]], node: int, other: int) -> list[_Entry]:
    """Give `node` all edges of `other`; returns the entries of those that are new or have changed."""
    del edges[node][other], edges[other][node]
    changed = []
    for near, (rate_sum, weight) in edges[other].items():
        del edges[near][other]
        known = edges[node].get(near, (0.0, 0.0))
        edge = (known[0] + rate_sum, known[1] + weight)
        edges[node][near] = edges[near][node] = edge
        changed.append(_entry(min(node, near), max(node, near), edge))
    edges[other] = {}
    return changed


def _entry(low: int, high: int, edge: _Edge) -> _Entry:
    return -edge[0] / edge[1], low, high, edge
