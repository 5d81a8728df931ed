"""Which tracks are one object: those that agree best join first, and what is joined is compared anew.

Every pair of nodes carries two masses: how much of the two was compared, and how much of that agreed. Joining adds masses,
so that an edge between groups is the verdict of everything that saw both (view consensus, as in MaskClustering, Yan et al.
2024); what was seen side by side was compared and did not agree, a constraint that grows with every such image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

_LEAST_SHARE = 0.25  # of the smaller of two nodes must have been compared: shelves on both sides of a wall share some cells
_LEAST_MASS = 1.0
_TIE = 1e-3  # rates this close are equal: the pair that was compared most goes first


@dataclass(frozen=True)
class Comparison:
    """What some evidence says of pairs of nodes; a pair may occur several times, its masses add up."""

    pair: Int[np.ndarray, "m 2"]
    agreed: Float[np.ndarray, " m"]
    compared: Float[np.ndarray, " m"]


def joined(size: Float[np.ndarray, " n"], evidence: list[Comparison], threshold: float) -> Int[np.ndarray, " n"]:
    """Group (0, 1, ...) of each node, numbered by their first node; `size` is the mass of each node.

    Again and again those pairs join that are each other's best partner and agree in at least `threshold` of what was
    compared, provided that this is a fair part of the smaller one: two rooms are not one because of one cell. With sums of
    masses a join never makes a pair agree better than its better half did, so this is the same as joining the best pair
    of all first, one at a time.
    """
    count = len(size)
    agreed, compared = (_matrix(count, evidence, name) for name in ("agreed", "compared"))
    group = np.arange(count)
    while True:
        step = _best_partners(agreed, compared, size, threshold)
        groups = int(step.max(initial=-1)) + 1
        if groups == len(step):
            return _by_first(group)
        group = step[group]
        size = np.bincount(step, weights=size)
        members = csr_matrix((np.ones(len(step)), (step, np.arange(len(step)))), shape=(groups, len(step)))
        agreed, compared = (_without_diagonal(members @ matrix @ members.T) for matrix in (agreed, compared))


def _best_partners(
    agreed: csr_matrix, compared: csr_matrix, size: Float[np.ndarray, " n"], threshold: float
) -> Int[np.ndarray, " n"]:
    """Group of each node after one round of joining mutual best partners."""
    count = agreed.shape[0]
    pairs = agreed.tocoo()
    if not pairs.nnz:
        return np.arange(count)
    mass = np.asarray(compared[pairs.row, pairs.col]).ravel()
    rate = np.divide(pairs.data, mass, out=np.zeros_like(mass), where=mass > 0)
    least = np.maximum(_LEAST_SHARE * np.minimum(size[pairs.row], size[pairs.col]), _LEAST_MASS)
    good = (rate >= threshold) & (mass >= least)
    row, column, rate, mass = pairs.row[good], pairs.col[good], rate[good], mass[good]
    score = rate + _TIE * mass / max(float(mass.max(initial=0)), 1e-12)
    low, high = np.minimum(row, column), np.maximum(row, column)
    order = np.lexsort(
        (high, low, -score, row)
    )  # per row the best first; of equals the lowest pair, the same from both ends
    first = order[np.flatnonzero(np.r_[True, np.diff(row[order]) != 0][: len(order)])]
    best = np.full(count, -1)
    best[row[first]] = column[first]
    nodes = np.flatnonzero(best >= 0)
    mutual = nodes[best[best[nodes]] == nodes]
    graph = coo_matrix((np.ones(len(mutual)), (mutual, best[mutual])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _matrix(count: int, evidence: list[Comparison], name: str) -> csr_matrix:
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(entry.pair for entry in evidence)])
    values = np.concatenate([np.zeros(0), *(getattr(entry, name) for entry in evidence)])
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return _without_diagonal(csr_matrix((np.tile(values, 2), (both[:, 0], both[:, 1])), shape=(count, count)))


def _without_diagonal(matrix: csr_matrix) -> csr_matrix:
    entries = matrix.tocoo()
    off = (entries.row != entries.col) & (entries.data != 0)
    return csr_matrix((entries.data[off], (entries.row[off], entries.col[off])), shape=matrix.shape)


def _by_first(group: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    first, inverse = np.unique(group, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse] if len(group) else group
