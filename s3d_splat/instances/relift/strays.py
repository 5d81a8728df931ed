"""Small objects that went under in large clusters: their Gaussians are seldom seen under the cluster's own mask.

A book on a sofa weighs too little to make the sofa's cluster disagree with itself, so that no cut is looked for there. Yet
most views show it under a mask that is not the one which holds most of the cluster.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import Labels, Overlap, cluster_columns, pair_agreement, self_agreement
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks
from s3d_splat.instances.relift.cuts import MAX_ATOMS, consensus_parts, with_parts

_AT_HOME = 0.6  # of a Gaussian's views; one that is expected to be under its cluster's main mask in fewer is a stray
_TOGETHER = 0.5  # strays that agree less than this with themselves are no object
_APART = 0.5  # strays that agree more than this with the rest of their cluster belong to it


def without_strays(
    evidence: MaskEvidence, labels: Labels, divisible: Bool[np.ndarray, " c"], whole: float, min_pixels: int
) -> Labels:
    """Labels in which what strays from divisible clusters has labels from `len(divisible)` on, one for each object.

    Only clusters that the views see whole (self-agreement of at least `whole`) are asked: masks that break elsewhere in each
    view put any Gaussian under another mask than the rest. Strays weigh at least `min_pixels`, hold together, and are apart
    from what they leave.
    """
    count = len(divisible)
    overlap = clusters_under_masks(evidence, labels, count)
    asked = divisible & (self_agreement(overlap) >= whole)
    stray = asked[labels] & _is_stray(evidence.weights, labels, overlap)
    few = np.bincount(labels[stray], minlength=count)
    owners = np.flatnonzero((few > 0) & (few <= MAX_ATOMS))
    result, left = with_parts(labels, consensus_parts(evidence, np.where(stray, labels, -1), owners, min_pixels), count)
    parts = count + np.arange(len(left))
    divided = clusters_under_masks(evidence, result, count + len(parts))
    with_rest = pair_agreement(divided, np.stack((parts, left), axis=1))[0]
    stands = np.ones(count + len(parts), dtype=bool)
    stands[parts] = (self_agreement(divided)[parts] >= _TOGETHER) & (with_rest < _APART)
    return np.where(stands[result], result, labels)


def _is_stray(weights: csr_matrix, labels: Labels, overlap: Overlap) -> Bool[np.ndarray, " n"]:
    """Whether too small a share of a Gaussian's weight lies under main masks, those that hold most of its cluster in a view.

    The share is taken as if two more views had seen it, once at home: 0 of 1 view says little. The number of views that it
    rests on is (sum w)^2 / sum w^2: views that hardly show a Gaussian hardly count.
    """
    main = _main_masks(overlap)
    entries = weights.tocoo()
    home = entries.row == main[overlap.view[entries.row], labels[entries.col]]
    total = np.asarray(weights.sum(axis=0)).ravel()
    at_home = np.bincount(entries.col, weights=entries.data * home, minlength=len(labels)).astype(float)
    by_view = csr_matrix(cluster_columns(overlap.view, len(main)).T @ weights)
    squares = np.asarray(by_view.multiply(by_view).sum(axis=0)).ravel()
    views = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    share = np.divide(at_home, total, out=np.zeros_like(total), where=total > 0)
    return (total > 0) & ((share * views + 1) / (views + 2) < _AT_HOME)


def _main_masks(overlap: Overlap) -> Int[np.ndarray, "v c"]:
    """The mask that holds most of each cluster in each view (ties: the first mask), -1 where the view does not show it."""
    entries = overlap.weights.tocoo()
    main = np.full((int(overlap.view.max(initial=-1)) + 1, entries.shape[1]), -1, dtype=np.int32)
    order = np.lexsort((-entries.row, entries.data))  # the heaviest comes last, and is what stays written
    main[overlap.view[entries.row[order]], entries.col[order]] = entries.row[order]
    return main
