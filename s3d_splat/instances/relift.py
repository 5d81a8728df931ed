"""Relift: after clustering, the masks of every view are evidence again, now for labels of single Gaussians.

Each mask is given to the cluster that fills most of it, and each Gaussian to the cluster whose masks it is seen under most.
Before that, clusters that lie under several masks are divided and clusters that lie under one mask are joined (`consensus`).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.instances.consensus import Overlap, cluster_columns, divided_labels, merged_clusters
from s3d_splat.instances.evidence import MaskEvidence
from s3d_splat.instances.options import ReliftOptions

Labels = Int[np.ndarray, " n"]


def relift(evidence: MaskEvidence, labels: Labels, options: ReliftOptions, certain: int = 0) -> Labels:
    """Labels (0 = none) of the n Gaussians after `options.rounds` rounds, starting from clusters `labels` (0 = none).

    Labels 1..s are the stuff classes that masks show, in ascending order: their masks are known to belong together, so they
    choose no cluster. Things follow. Clusters that no mask chooses vanish, so without masks all is 0. A Gaussian that no
    view sees keeps its label; one that views see mostly without a mask has none. Clusters 1..`certain` are objects already:
    they are not divided and joined with nothing.
    """
    if len(evidence.view) == 0:
        return np.zeros_like(labels)
    stuff = np.unique(evidence.class_id[evidence.stuff])
    current = np.where(labels > 0, labels + len(stuff), 0)
    for _ in range(options.rounds):
        fixed = len(stuff) + len(np.unique(current[(current > len(stuff)) & (current <= len(stuff) + certain)]))
        current, certain = _compact(current, len(stuff)), fixed - len(stuff)
        if options.split:
            current = _divide(evidence, current, fixed, options)
        if options.merge:
            current = _join(evidence, current, fixed, options)
        choice = mask_choices(evidence, current, stuff, options.min_share)
        current = _vote(evidence, choice, current, fixed, options.min_size)
    return np.where(_is_unlabelled(evidence, options.min_labelled), 0, current)


def mask_choices(
    evidence: MaskEvidence, labels: Labels, stuff: Int[np.ndarray, " s"], min_share: float
) -> Int[np.ndarray, " m"]:
    """The label of each mask: its class's where it shows stuff, else the thing that fills most of it.

    0 where that thing fills less than `min_share` of the mask's rendering weight.
    """
    count = int(labels.max(initial=0)) + 1
    overlap = csr_matrix(evidence.weights @ cluster_columns(np.where(labels > len(stuff), labels, -1), count))
    total = np.asarray(evidence.weights.sum(axis=1)).ravel()
    share = np.divide(overlap.max(axis=1).toarray().ravel(), total, out=np.zeros(len(total)), where=total > 0)
    choice = np.where(share >= min_share, np.asarray(overlap.argmax(axis=1)).ravel(), 0)
    return np.where(evidence.stuff, np.searchsorted(stuff, evidence.class_id) + 1, choice)


def with_neighbours(labels: Labels, evidence: MaskEvidence, children: int, radius: float) -> Labels:
    """Labels in which Gaussians no view saw take their anchor's most frequent label, else one within `radius` (m)."""
    if len(labels) == 0:
        return labels
    known = (evidence.seen > 0) & (labels > 0)
    anchor = np.arange(len(labels)) // children
    siblings = most_frequent(anchor[known], labels[known], len(labels) // children)[anchor]
    result = np.where(evidence.seen > 0, labels, siblings)
    lost = np.flatnonzero((evidence.seen <= 0) & (result == 0))
    points = torch.from_numpy(evidence.means)
    nearest = nearest_neighbours(points[lost], points[np.flatnonzero(known)], 1, radius)[1][:, 0].numpy()
    result[lost[nearest >= 0]] = labels[known][nearest[nearest >= 0]]
    return result


def most_frequent(group: Int[np.ndarray, " m"], labels: Int[np.ndarray, " m"], groups: int) -> Int[np.ndarray, " g"]:
    """The label that occurs most often in each group (ties: the lowest), 0 in an empty one."""
    count = int(labels.max(initial=0)) + 1
    votes = csr_matrix((np.ones(len(group)), (group, labels)), shape=(groups, count))
    return np.asarray(votes.argmax(axis=1)).ravel()


def _vote(evidence: MaskEvidence, choice: Int[np.ndarray, " m"], labels: Labels, fixed: int, min_size: int) -> Labels:
    """Each Gaussian's label: the one whose masks hold most of its weight, else the one it has.

    Labels that no mask chose do not stand, nor those above `fixed` that fewer than `min_size` Gaussians have.
    """
    count = max(int(choice.max(initial=0)), int(labels.max(initial=0))) + 1
    stands = np.bincount(choice, minlength=count) > 0
    stands[0] = False
    for _ in range(2):
        useful = np.where(stands[choice], choice, -1)
        votes = csr_matrix(evidence.weights.T @ cluster_columns(useful, count))
        voted = np.diff(votes.indptr) > 0
        result = np.where(voted, np.asarray(votes.argmax(axis=1)).ravel(), np.where(stands[labels], labels, 0))
        sizes = np.bincount(result, minlength=count)
        stands &= (sizes >= min_size) | ((np.arange(count) <= fixed) & (sizes > 0))
    return np.where(stands[result], result, 0)


def _is_unlabelled(evidence: MaskEvidence, min_labelled: float) -> Bool[np.ndarray, " n"]:
    labelled = np.asarray(evidence.weights.sum(axis=0)).ravel()
    return (evidence.seen > 0) & (labelled < min_labelled * evidence.seen)


def _divide(evidence: MaskEvidence, labels: Labels, fixed: int, options: ReliftOptions) -> Labels:
    """Labels above `fixed` divided where single views see them under several masks."""
    divisible = np.arange(int(labels.max(initial=0)) + 1) > fixed
    divided = divided_labels(evidence.weights, evidence.view, labels, divisible, options.agreement, options.min_pixels)
    return _compact(divided, fixed)


def _join(evidence: MaskEvidence, labels: Labels, fixed: int, options: ReliftOptions) -> Labels:
    """Labels above `fixed` joined where views see them under one mask."""
    free = np.where(labels > fixed, labels - fixed - 1, -1)
    weights = csr_matrix(evidence.weights @ cluster_columns(free, int(free.max(initial=-1)) + 1))
    group = merged_clusters(Overlap(weights, evidence.view), options.agreement, options.min_pixels)
    result = labels.copy()
    result[free >= 0] = group[free[free >= 0]] + fixed + 1
    return result


def _compact(labels: Labels, fixed: int) -> Labels:
    """Labels above `fixed` without gaps, in the same order; the others as they are."""
    free = np.unique(labels[labels > fixed])
    return np.where(labels > fixed, np.searchsorted(free, labels) + fixed + 1, labels)
