"""Clusters that single views see under several masks are cut, where the other views share the cut."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import Labels, Overlap, cluster_columns, merged_clusters, seen_alike, visible_weights

_MIN_SHARE = 0.1  # of a cluster; a mask that holds less of it cuts nothing off
_GAIN = 0.5  # of a cluster's disagreement with itself must go, or a cut is not worth it
_SOUND = 0.75  # the least mean agreement of parts with themselves: what is cut at random has two thirds
_APART = 0.3  # two parts of a cluster that agree less than this are no longer one
MAX_ATOMS = 1_000
"""Gaussians that are joined anew, one by one; a larger cluster is cut along a view first."""


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
    visible, alike = seen_alike(overlap)
    total, together = (np.asarray(weights.sum(axis=0)).ravel() for weights in (visible, alike))
    impure = divisible & (total > 0) & (together < threshold * total)
    small = np.bincount(labels[labels >= 0], minlength=count) <= MAX_ATOMS
    by_consensus = consensus_parts(weights, view, labels, np.flatnonzero(impure & small), min_pixels)
    along_view = _parts_along_view(
        weights, overlap, labels, impure & ~small, np.asarray((visible - alike).argmax(axis=0)).ravel(), min_pixels
    )
    code = np.maximum(by_consensus, along_view)  # Gaussians of one cluster with the same code are one part
    cut = np.flatnonzero(code >= 0)
    pairs, part = np.unique(np.stack((labels[cut], code[cut])), axis=1, return_inverse=True)
    result = labels.copy()
    result[cut] = count + part.ravel()
    parent = np.concatenate((np.arange(count), pairs[0]))
    parts = Overlap(csr_matrix(weights @ cluster_columns(result, len(parent))), view)
    after = np.bincount(parent, weights=np.asarray(seen_alike(parts)[1].sum(axis=0)).ravel(), minlength=count)
    pays = (after - together >= _GAIN * (total - together)) & (after >= _SOUND * total)
    return np.where(pays[labels], result, labels)


def consensus_parts(
    weights: csr_matrix,
    view: Int[np.ndarray, " m"],
    labels: Labels,
    clusters: Int[np.ndarray, " k"],
    min_pixels: int,
) -> Int[np.ndarray, " n"]:
    """The part (0, 1, ... within its cluster) of each Gaussian of `clusters`, whose Gaussians join anew until no two groups
    agree; -1 for parts with less than `min_pixels` of weight, and for all other Gaussians."""
    code = np.full(len(labels), -1)
    if not len(clusters):
        return code
    by_gaussian = weights.tocsc()
    for cluster in clusters:
        members = np.flatnonzero(labels == cluster)
        columns = by_gaussian[:, members].tocsr()
        rows = np.flatnonzero(np.diff(columns.indptr))
        overlap = Overlap(csr_matrix(columns[rows]), np.unique(view[rows], return_inverse=True)[1])
        group = merged_clusters(overlap, _APART, 0)
        heavy = np.bincount(group, weights=np.asarray(columns.sum(axis=0)).ravel()) >= min_pixels
        code[members] = np.where(heavy[group], group, -1)
    return code


def _parts_along_view(
    weights: csr_matrix,
    overlap: Overlap,
    labels: Labels,
    chosen: Bool[np.ndarray, " c"],
    telling: Int[np.ndarray, " c"],
    min_pixels: int,
) -> Int[np.ndarray, " n"]:
    """The heaviest mask of each Gaussian of the chosen clusters in the cluster's telling view, -1 for other Gaussians.

    What that view does not show, or shows under a mask with less than `_MIN_SHARE` of the cluster or `min_pixels`, is left
    out.
    """
    code = np.full(len(labels), -1)
    if not chosen.any():
        return code
    entries = weights.tocoo()
    owner = labels[entries.col]
    useful = (owner >= 0) & chosen[owner] & (overlap.view[entries.row] == telling[owner])
    mask, point, weight, owner = entries.row[useful], entries.col[useful], entries.data[useful], owner[useful]
    part_weight = np.asarray(overlap.weights[mask, owner]).ravel()
    whole_weight = np.asarray(visible_weights(overlap)[telling[owner], owner]).ravel()
    large = part_weight >= np.maximum(_MIN_SHARE * whole_weight, min_pixels)
    order = np.lexsort((-mask, weight))  # the heaviest mask of a Gaussian comes last, and is what stays written
    order = order[large[order]]
    code[point[order]] = mask[order]
    return code
