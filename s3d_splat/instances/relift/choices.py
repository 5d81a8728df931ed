"""Masks choose labels, and Gaussians choose between the labels of their masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import Labels, cluster_columns, self_agreement, strongest_columns
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks

Choice = Int[np.ndarray, " m"]


def mask_choices(evidence: MaskEvidence, labels: Labels, stuff: Int[np.ndarray, " s"], min_share: float) -> Choice:
    """The label of each mask: its class's where it shows stuff, else the thing that fills most of it.

    0 where that thing fills less than `min_share` of the mask's rendering weight.
    """
    count = int(labels.max(initial=0)) + 1
    overlap = csr_matrix(evidence.weights @ cluster_columns(np.where(labels > len(stuff), labels, -1), count))
    total = np.asarray(evidence.weights.sum(axis=1)).ravel()
    share = np.divide(overlap.max(axis=1).toarray().ravel(), total, out=np.zeros(len(total)), where=total > 0)
    choice = np.where(share >= min_share, strongest_columns(overlap), 0)
    return np.where(evidence.stuff, np.searchsorted(stuff, evidence.class_id) + 1, choice)


def voted_labels(evidence: MaskEvidence, choice: Choice, labels: Labels, fixed: int, min_size: int) -> Labels:
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
        result = np.where(voted, strongest_columns(votes), np.where(stands[labels], labels, 0))
        sizes = np.bincount(result, minlength=count)
        stands &= (sizes >= min_size) | ((np.arange(count) <= fixed) & (sizes > 0))
    return np.where(stands[result], result, 0)


def without_silent_views(evidence: MaskEvidence, choice: Choice, labels: Labels, whole: float) -> MaskEvidence:
    """The evidence without what views say about Gaussians of a label that none of their masks chose.

    Such a view has lost the object's mask, or joined it to a neighbour's, and says nothing about where the object ends.
    Asked are the labels that views otherwise see whole (self-agreement of at least `whole`); what no other view shows
    stays.
    """
    count = max(int(choice.max(initial=0)), int(labels.max(initial=0))) + 1
    views = int(evidence.view.max(initial=-1)) + 1
    shown = np.zeros((views, count), dtype=bool)
    shown[evidence.view, choice] = True
    shown[:, 0] = False
    asked = self_agreement(clusters_under_masks(evidence, labels, count)) >= whole
    entries = evidence.weights.tocoo()
    own = labels[entries.col]
    speaks = shown[evidence.view[entries.row], own] | ~asked[own]
    heard = np.zeros(len(labels), dtype=bool)
    heard[entries.col[speaks]] = True
    kept = speaks | ~heard[entries.col]
    weights = csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=entries.shape)
    return replace(evidence, weights=weights)


def most_frequent(group: Int[np.ndarray, " m"], labels: Int[np.ndarray, " m"], groups: int) -> Int[np.ndarray, " g"]:
    """The label that occurs most often in each group (ties: the lowest), 0 in an empty one."""
    count = int(labels.max(initial=0)) + 1
    votes = csr_matrix((np.ones(len(group)), (group, labels)), shape=(groups, count))
    return strongest_columns(votes)
