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
from scipy.sparse import csr_matrix

from s3d_splat.instances.graph import components

Labels = Int[np.ndarray, " n"]

_MIN_SHARE = 0.1  # of a cluster; a mask that holds less of it cuts nothing off
_GAIN = 0.5  # of a cluster's disagreement with itself must go, or a cut is not worth it
_APART = 0.3  # two parts of a cluster that agree less than this are no longer one
_MAX_ATOMS = 1_000  # Gaussians; a larger cluster is cut along a view first
_LIGHT = 0.1  # of its best partner's weight: a cluster under that joins without being its partner's best
_TIE = 1e-3  # rates this close are equal
_MAX_CLUSTERS = 2_000  # compared with each other, those with most weight; the pair matrix is dense


@dataclass(frozen=True)
class Overlap:
    """Rendering weight of each cluster (column) under each mask (row), and the view of each mask."""

    weights: csr_matrix  # [m, c]
    view: Int[np.ndarray, " m"]


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
    shown = visible[overlap.view[entries.row], entries.col]
    scaled = np.divide(entries.data, np.sqrt(shown), out=np.zeros_like(entries.data), where=entries.data > 0)
    by_mask = csr_matrix((scaled, (entries.row, entries.col)), shape=entries.shape)  # never dense: masks are many
    together = np.sqrt(visible)
    shared, same = together.T @ together, (by_mask.T @ by_mask).toarray()
    return np.divide(same, shared, out=np.zeros_like(same), where=shared > 0), shared


def merged_clusters(overlap: Overlap, threshold: float, min_shared: int) -> Int[np.ndarray, " c"]:
    """Group (0, 1, ...) of each cluster after joining, again and again, those that agree best with each other.

    Two clusters join where their agreement reaches `threshold`, rests on at least `min_shared` pixels, and each is the
    other's best partner, or one is so light that it hardly changes its best partner. Agreements are measured anew after
    each round, so a chain of halves cannot outvote the views. Only the `_MAX_CLUSTERS` heaviest clusters take part.
    """
    total = np.asarray(overlap.weights.sum(axis=0)).ravel()
    members = np.sort(np.argsort(-total, kind="stable")[:_MAX_CLUSTERS])
    group = np.arange(len(members))
    joined = Overlap(csr_matrix(overlap.weights[:, members]), overlap.view)
    while joined.weights.shape[1]:
        step = _best_partners(joined, threshold, min_shared)
        count = int(step.max()) + 1
        if count == len(step):
            break
        group = step[group]
        joined = Overlap(csr_matrix(joined.weights @ cluster_columns(step, count)), overlap.view)
    result = np.arange(len(total)) + len(members)
    result[members] = group
    return np.unique(result, return_inverse=True)[1]


def _best_partners(overlap: Overlap, threshold: float, min_shared: int) -> Int[np.ndarray, " c"]:
    """Group of each cluster after one round; groups are in the order of their first cluster."""
    rates, shared = agreement(overlap)
    rates[shared < min_shared] = 0
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(shared, 0)
    # Parts seen alike have equal rates: the pair that the views show most goes first, so that many pairs join at once.
    best = (rates + _TIE * shared / max(shared.max(), 1.0)).argmax(axis=1)
    clusters = np.arange(len(rates))
    total = np.asarray(overlap.weights.sum(axis=0)).ravel()
    mutual = best[best] == clusters
    joins = (rates[clusters, best] >= threshold) & (mutual | (total < _LIGHT * total[best]))
    pairs = np.stack((clusters[joins], best[joins]), axis=1)
    return components(len(rates), torch.from_numpy(pairs)).numpy()


def divided_labels(
    weights: csr_matrix,
    view: Int[np.ndarray, " m"],
    labels: Labels,
    divisible: Bool[np.ndarray, " c"],
    threshold: float,
    min_pixels: int,
) -> Labels:
    """Labels in which each divisible cluster whose self-agreement is under `threshold` is cut into parts.

    The Gaussians of a small cluster join anew as the views agree; a large one is cut along the masks of the view that shows
    most pairs of pixels apart. The parts get labels from c on; parts with less than `min_pixels` of weight keep the
    cluster's label. A cut stands only where the other views share it, so that the parts agree with themselves: masks that
    break elsewhere in each view cut nothing.
    """
    count = len(divisible)
    overlap = Overlap(csr_matrix(weights @ cluster_columns(labels, count)), view)
    visible, alike = _seen_alike(overlap)
    total, together = visible.sum(0), alike.sum(0)
    impure = divisible & (total > 0) & (together < threshold * total)
    small = np.bincount(labels[labels >= 0], minlength=count) <= _MAX_ATOMS
    code = np.full(len(labels), -1)  # Gaussians of one cluster with the same code are one part
    _cut_by_consensus(weights, view, labels, np.flatnonzero(impure & small), min_pixels, code)
    _cut_along_view(weights, overlap, labels, impure & ~small, (visible - alike).argmax(0), min_pixels, code)
    cut = np.flatnonzero(code >= 0)
    pairs, part = np.unique(np.stack((labels[cut], code[cut])), axis=1, return_inverse=True)
    result = labels.copy()
    result[cut] = count + part.ravel()
    parent = np.concatenate((np.arange(count), pairs[0]))
    parts = Overlap(csr_matrix(weights @ cluster_columns(result, len(parent))), view)
    after = np.bincount(parent, weights=_seen_alike(parts)[1].sum(0), minlength=count)
    pays = after - together >= _GAIN * (total - together)
    return np.where(pays[labels], result, labels)


def _cut_by_consensus(
    weights: csr_matrix,
    view: Int[np.ndarray, " m"],
    labels: Labels,
    clusters: Int[np.ndarray, " k"],
    min_pixels: int,
    code: Int[np.ndarray, " n"],
) -> None:
    """Write into `code` the part of each Gaussian of `clusters`: its Gaussians join anew until no two groups agree."""
    by_gaussian = weights.tocsc()
    for cluster in clusters:
        members = np.flatnonzero(labels == cluster)
        columns = by_gaussian[:, members].tocsr()
        rows = np.flatnonzero(np.diff(columns.indptr))
        overlap = Overlap(csr_matrix(columns[rows]), np.unique(view[rows], return_inverse=True)[1])
        group = merged_clusters(overlap, _APART, 0)
        heavy = np.bincount(group, weights=np.asarray(columns.sum(axis=0)).ravel()) >= min_pixels
        code[members] = np.where(heavy[group], group, -1)


def _cut_along_view(
    weights: csr_matrix,
    overlap: Overlap,
    labels: Labels,
    chosen: Bool[np.ndarray, " c"],
    telling: Int[np.ndarray, " c"],
    min_pixels: int,
    code: Int[np.ndarray, " n"],
) -> None:
    """Write into `code` the heaviest mask of each Gaussian of the chosen clusters in the cluster's telling view.

    What that view does not show, or shows under a mask with less than `_MIN_SHARE` of the cluster or `min_pixels`, is left
    out.
    """
    entries = weights.tocoo()
    owner = labels[entries.col]
    useful = (owner >= 0) & chosen[owner] & (overlap.view[entries.row] == telling[owner])
    mask, point, weight, owner = entries.row[useful], entries.col[useful], entries.data[useful], owner[useful]
    part_weight = np.asarray(overlap.weights[mask, owner]).ravel()
    large = part_weight >= np.maximum(_MIN_SHARE * visible_weights(overlap).toarray()[telling[owner], owner], min_pixels)
    order = np.lexsort((-mask, weight))  # the heaviest mask of a Gaussian comes last, and is what stays written
    order = order[large[order]]
    code[point[order]] = mask[order]


def _seen_alike(overlap: Overlap) -> tuple[Float[np.ndarray, "v c"], Float[np.ndarray, "v c"]]:
    """Weight of each cluster in each view, and that weight times the cluster's agreement with itself there."""
    visible = visible_weights(overlap).toarray()
    squares = Overlap(overlap.weights.multiply(overlap.weights).tocsr(), overlap.view)
    return visible, np.divide(visible_weights(squares).toarray(), visible, out=np.zeros_like(visible), where=visible > 0)
