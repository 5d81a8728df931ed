"""Whether the views agree that two clusters are one object, and that one cluster is one object (view consensus).

Two random pixels of a view, one of cluster c and one of cluster d, lie under the same mask with a probability that the
masks of that view tell. Its mean over the views, weighted by how much of both clusters a view shows, is their agreement:
near 1 for two parts of one object, near 0 for two objects, and, for a cluster with itself, low where it covers several
objects. No mask id is ever compared with one of another view. The idea is MaskClustering's view consensus rate (Yan et al.
2024), here between clusters of Gaussians and with rendering weights in place of counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csr_matrix

from s3d_splat.instances.graph import components

Labels = Int[np.ndarray, " n"]

_LIGHT = 0.1  # of its best partner's weight: a cluster under that joins without being its partner's best
_TIE = 1e-3  # rates this close are equal
_MAX_CLUSTERS = 2_000  # compared with each other, those with most weight; the pair matrix is dense


@dataclass(frozen=True)
class Overlap:
    """Rendering weight of each cluster (column) under each mask (row), and the view of each mask."""

    weights: csr_matrix  # [m, c]
    view: Int[np.ndarray, " m"]


def strongest_columns(matrix: csr_matrix) -> Int[np.ndarray, " n"]:
    """Column of the largest entry in each row of a matrix without negative ones (ties: the lowest), 0 where all are 0.

    As `matrix.argmax(axis=1)`, which takes one row at a time.
    """
    entries = csr_matrix(matrix)
    counts = np.diff(entries.indptr)
    used = counts > 0
    starts = entries.indptr[:-1][used]
    result = np.zeros(len(counts), dtype=np.int64)
    if len(starts):
        largest = np.maximum.reduceat(entries.data, starts)
        is_largest = entries.data == np.repeat(largest, counts[used])
        lowest = np.minimum.reduceat(np.where(is_largest, entries.indices, entries.shape[1]), starts)
        result[used] = np.where(largest > 0, lowest, 0)
    return result


def cluster_columns(labels: Labels, count: int) -> csr_matrix:
    """[n, count] one-hot matrix of labels 0..count-1; a negative label has an empty row."""
    rows = np.flatnonzero(labels >= 0)
    return csr_matrix((np.ones(len(rows)), (rows, labels[rows])), shape=(len(labels), count))


def visible_weights(overlap: Overlap) -> csr_matrix:
    """[views, c] rendering weight of each cluster in each view, under whatever mask."""
    views = int(overlap.view.max(initial=-1)) + 1
    return csr_matrix(cluster_columns(overlap.view, views).T @ overlap.weights)


def agreement(overlap: Overlap) -> tuple[Float[np.ndarray, "c c"], Float[np.ndarray, "c c"]]:
    """Agreement (0..1, 0 where no view shows both) of every two clusters, and the weight (pixels) that it rests on."""
    visible = visible_weights(overlap).toarray()
    entries = overlap.weights.tocoo()
    by_mask = _over_root(entries, visible[overlap.view[entries.row], entries.col])  # never dense: masks are many
    together = np.sqrt(visible)
    shared, same = together.T @ together, (by_mask.T @ by_mask).toarray()
    return np.divide(same, shared, out=np.zeros_like(same), where=shared > 0), shared


def merged_clusters(overlap: Overlap, threshold: float, min_shared: int, certain: int = 0) -> Int[np.ndarray, " c"]:
    """Group (0, 1, ...) of each cluster after joining, again and again, those that agree best with each other.

    Two clusters join where their agreement reaches `threshold`, rests on at least `min_shared` pixels, and each is the
    other's best partner, or one is so light that it hardly changes its best partner. Agreements are measured anew after
    each round, so a chain of halves cannot outvote the views. Only the `_MAX_CLUSTERS` heaviest clusters take part. The
    first `certain` clusters are known to be objects of their own: others may join them, but no two of them ever do.
    """
    total = np.asarray(overlap.weights.sum(axis=0)).ravel()
    members = np.sort(np.argsort(-total, kind="stable")[:_MAX_CLUSTERS])
    group = np.arange(len(members))
    known = members < certain
    joined = Overlap(csr_matrix(overlap.weights[:, members]), overlap.view)
    while joined.weights.shape[1]:
        step = _best_partners(joined, threshold, min_shared, known)
        count = int(step.max()) + 1
        if count == len(step):
            break
        group = step[group]
        known = np.bincount(step, weights=known, minlength=count) > 0
        joined = Overlap(csr_matrix(joined.weights @ cluster_columns(step, count)), overlap.view)
    result = np.arange(len(total)) + len(members)
    result[members] = group
    return np.unique(result, return_inverse=True)[1]


def _best_partners(
    overlap: Overlap, threshold: float, min_shared: int, known: Bool[np.ndarray, " c"]
) -> Int[np.ndarray, " c"]:
    """Group of each cluster after one round; groups are in the order of their first cluster."""
    rates, shared = agreement(overlap)
    rates[shared < min_shared] = 0
    rates[np.ix_(known, known)] = 0
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(shared, 0)
    # Parts seen alike have equal rates: the pair that the views show most goes first, so that many pairs join at once.
    best = (rates + _TIE * shared / max(shared.max(), 1.0)).argmax(axis=1)
    clusters = np.arange(len(rates))
    total = np.asarray(overlap.weights.sum(axis=0)).ravel()
    mutual = best[best] == clusters
    # What is known never goes to another on its own, or what lies between could tie two of them together.
    joins = (rates[clusters, best] >= threshold) & (mutual | (~known & (total < _LIGHT * total[best])))
    pairs = np.stack((clusters[joins], best[joins]), axis=1)
    return components(len(rates), torch.from_numpy(pairs)).numpy()


def pair_agreement(
    overlap: Overlap, pairs: Int[np.ndarray, "p 2"]
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """`agreement` of some pairs only, and the weight (pixels) that each rests on: nothing of the size of all pairs."""
    entries = overlap.weights.tocoo()
    if not len(pairs) or not len(entries.data):
        return np.zeros(len(pairs)), np.zeros(len(pairs))
    visible = visible_weights(overlap)
    shown = np.asarray(visible[overlap.view[entries.row], entries.col]).ravel()
    by_cluster = csr_matrix(_over_root(entries, shown).T)
    by_view = csr_matrix(visible.sqrt().T)
    left, right = pairs.T
    same = np.asarray(by_cluster[left].multiply(by_cluster[right]).sum(axis=1)).ravel()
    shared = np.asarray(by_view[left].multiply(by_view[right]).sum(axis=1)).ravel()
    return np.divide(same, shared, out=np.zeros_like(same), where=shared > 0), shared


def self_agreement(overlap: Overlap) -> Float[np.ndarray, " c"]:
    """Agreement of each cluster with itself: 1 where every view that shows it has it under one mask; 0 where none does."""
    total, alike = (np.asarray(weights.sum(axis=0)).ravel() for weights in seen_alike(overlap))
    return np.divide(alike, total, out=np.zeros_like(total), where=total > 0)


def seen_alike(overlap: Overlap) -> tuple[csr_matrix, csr_matrix]:
    """[views, c] weight of each cluster in each view, and that weight times the cluster's agreement with itself there."""
    visible = visible_weights(overlap)
    squares = visible_weights(Overlap(csr_matrix(overlap.weights.multiply(overlap.weights)), overlap.view))
    inverse = visible.copy()
    inverse.data = 1 / np.maximum(visible.data, np.finfo(float).tiny)
    return visible, csr_matrix(squares.multiply(inverse))


def _over_root(entries: coo_matrix, shown: Float[np.ndarray, " e"]) -> csr_matrix:
    """The weights of an overlap, each over the root of the weight `shown` of its cluster in its view."""
    scaled = np.divide(entries.data, np.sqrt(shown), out=np.zeros_like(entries.data), where=entries.data > 0)
    return csr_matrix((scaled, (entries.row, entries.col)), shape=entries.shape)
