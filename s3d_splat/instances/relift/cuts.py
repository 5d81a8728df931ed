"""Clusters that single views see under several masks are cut, where the other views share the cut."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import Labels, Overlap, merged_clusters, seen_alike, visible_weights
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks

_MIN_SHARE = 0.1  # of a cluster; a mask that holds less of it cuts nothing off
_GAIN = 0.5  # of a cluster's disagreement with itself must go, or a cut is not worth it
_SOUND = 0.75  # the least mean agreement of parts with themselves: what is cut at random has two thirds
_APART = 0.3  # two parts of a cluster that agree less than this are no longer one
MAX_ATOMS = 1_000
"""Gaussians that are joined anew, one by one; a larger cluster is cut along a view first."""


def divided_labels(
    evidence: MaskEvidence, labels: Labels, divisible: Bool[np.ndarray, " c"], threshold: float, min_pixels: int
) -> Labels:
    """Labels in which each divisible cluster whose self-agreement is under `threshold` is cut into parts.

    The Gaussians of a small cluster join anew as the views agree; a large one is cut along the masks of the view that shows
    most pairs of pixels apart. The parts get labels from c on; parts with less than `min_pixels` of weight keep the
    cluster's label. A cut stands only where the other views share it, so that the parts agree with themselves better than
    parts do that are cut at random: masks that break elsewhere in each view seldom cut anything.
    """
    count = len(divisible)
    overlap = clusters_under_masks(evidence, labels, count)
    visible, alike = seen_alike(overlap)
    total, together = (np.asarray(by_view.sum(axis=0)).ravel() for by_view in (visible, alike))
    impure = divisible & (total > 0) & (together < threshold * total)
    small = np.bincount(labels[labels >= 0], minlength=count) <= MAX_ATOMS
    by_consensus = consensus_parts(evidence, labels, np.flatnonzero(impure & small), min_pixels)
    telling = np.asarray((visible - alike).argmax(axis=0)).ravel()
    along_view = _parts_along_view(evidence.weights, overlap, labels, impure & ~small, telling, min_pixels)
    result, whole = with_parts(labels, np.maximum(by_consensus, along_view), count)
    parent = np.concatenate((np.arange(count), whole))
    parts = clusters_under_masks(evidence, result, len(parent))
    after = np.bincount(parent, weights=np.asarray(seen_alike(parts)[1].sum(axis=0)).ravel(), minlength=count)
    pays = (after - together >= _GAIN * (total - together)) & (after >= _SOUND * total)
    return np.where(pays[labels], result, labels)


def with_parts(labels: Labels, code: Int[np.ndarray, " n"], count: int) -> tuple[Labels, Int[np.ndarray, " p"]]:
    """Labels in which part p of a cluster has label `count` + p, and the cluster of each part.

    Gaussians of one cluster with the same `code` are one part; those with a negative one stay.
    """
    cut = np.flatnonzero(code >= 0)
    named, part = np.unique(np.stack((labels[cut], code[cut])), axis=1, return_inverse=True)
    result = labels.copy()
    result[cut] = count + part.ravel()
    return result, named[0]


def consensus_parts(
    evidence: MaskEvidence, labels: Labels, clusters: Int[np.ndarray, " k"], min_pixels: int
) -> Int[np.ndarray, " n"]:
    """The part (0, 1, ... within its cluster) of each Gaussian of `clusters`, whose Gaussians join anew until no two groups
    agree; -1 for parts with less than `min_pixels` of weight, and for all other Gaussians."""
    code = np.full(len(labels), -1)
    if not len(clusters):
        return code
    by_gaussian = evidence.weights.tocsc()
    for cluster in clusters:
        members = np.flatnonzero(labels == cluster)
        columns = by_gaussian[:, members].tocsr()
        rows = np.flatnonzero(np.diff(columns.indptr))
        overlap = Overlap(csr_matrix(columns[rows]), np.unique(evidence.view[rows], return_inverse=True)[1])
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
