"""Relift: after clustering, the masks of every view are evidence again, now for labels of single Gaussians.

Each mask is given to the cluster that fills most of it, and each Gaussian to the cluster whose masks it is seen under most.
Before that, clusters that lie under several masks are divided, and clusters that lie under one mask are joined.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.instances.consensus import Labels, merged_clusters
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks
from s3d_splat.instances.options import ReliftOptions
from s3d_splat.instances.relift.choices import mask_choices, most_frequent, voted_labels, without_silent_views
from s3d_splat.instances.relift.cuts import divided_labels
from s3d_splat.instances.relift.fragments import drawn_anew, joined_parts, masks_break
from s3d_splat.instances.relift.persistence import PersistentObjects
from s3d_splat.instances.relift.strays import without_strays


def relift(
    evidence: MaskEvidence,
    labels: Labels,
    options: ReliftOptions,
    voxel: float,
    known: PersistentObjects | None = None,
    children: int = 1,
) -> Labels:
    """Labels (0 = none) of the n Gaussians after `options.rounds` rounds, starting from clusters `labels` (0 = none).

    Labels 1..s are the stuff classes that masks show, in ascending order: their masks are known to belong together, so they
    choose no cluster. Things follow, first the `known` ones, which go before clusters: their masks are known too, they are
    not divided, and no two of them join. Clusters that no mask chooses vanish, so without masks all is 0. A Gaussian that
    no view sees keeps its label; one that views see mostly without a mask has none. Where masks break elsewhere in each
    view, what is not known is drawn anew from anchors, of `children` Gaussians each. `voxel` (metres) is the grid on which
    clusters touch.
    """
    if len(evidence.view) == 0:
        return np.zeros_like(labels)
    stuff = np.unique(evidence.class_id[evidence.stuff])
    fixed = len(stuff) + (known.count if known else 0)
    current = np.where(labels > 0, labels + fixed, 0)
    if known:
        current = np.where(known.of_gaussian > 0, known.of_gaussian + len(stuff), current)

    def chosen(clusters: Labels) -> Labels:
        return _chosen(evidence, clusters, stuff, fixed, options, known)

    for _ in range(options.rounds):
        current = chosen(_apart_and_together(evidence, _compact(current, fixed), len(stuff), fixed, options))
    if options.rounds and options.fragments and masks_break(evidence, current - len(stuff) - 1, options.agreement):
        free = (current > fixed) & (evidence.seen > 0)
        anchors = drawn_anew(evidence, free, np.arange(len(labels)) // children, 2 * voxel)
        current = chosen(_with_free(current, anchors, fixed))
        parts = joined_parts(evidence, np.where(current > fixed, current - fixed - 1, -1), voxel)
        current = chosen(_with_free(current, parts, fixed))
    return np.where(is_unlabelled(evidence, options.min_labelled), 0, current)


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


def _apart_and_together(evidence: MaskEvidence, labels: Labels, stuff: int, fixed: int, options: ReliftOptions) -> Labels:
    """Labels above `fixed` divided where single views see them under several masks, and joined where views see them, or one
    of them and a known thing, under one."""
    if options.split:
        divided = divided_labels(evidence, labels, _above(labels, fixed), options.agreement, options.min_pixels)
        labels = _compact(divided, fixed)
    if options.merge:
        labels = _compact(_joined(evidence, labels, stuff, fixed, options), fixed)
    if options.strays:
        labels = without_strays(evidence, labels, _above(labels, fixed), options.agreement, options.min_pixels)
    return labels


def _joined(evidence: MaskEvidence, labels: Labels, stuff: int, fixed: int, options: ReliftOptions) -> Labels:
    things = np.where(labels > stuff, labels - stuff - 1, -1)
    count = int(things.max(initial=-1)) + 1
    overlap = clusters_under_masks(evidence, things, count)
    group = merged_clusters(overlap, options.agreement, options.min_pixels, certain=fixed - stuff)
    lowest = np.unique(group, return_index=True)[1]  # a known thing keeps its number
    return np.where(things >= 0, lowest[group[things]] + stuff + 1, labels) if count else labels


def _chosen(
    evidence: MaskEvidence,
    labels: Labels,
    stuff: Int[np.ndarray, " s"],
    fixed: int,
    options: ReliftOptions,
    known: PersistentObjects | None,
) -> Labels:
    """Labels after masks have chosen theirs, and Gaussians their masks'."""
    choice = mask_choices(evidence, labels, stuff, options.min_share)
    if known:
        choice = np.where(known.of_mask > 0, known.of_mask + len(stuff), choice)
    heard = without_silent_views(evidence, choice, labels, options.agreement) if options.silence else evidence
    return voted_labels(heard, choice, labels, fixed, options.min_size)


def is_unlabelled(evidence: MaskEvidence, min_labelled: float) -> Bool[np.ndarray, " n"]:
    """Gaussians of which less than this share of what the views see lies under masks; unseen ones are not."""
    labelled = np.asarray(evidence.weights.sum(axis=0)).ravel()
    return (evidence.seen > 0) & (labelled < min_labelled * evidence.seen)


def _with_free(labels: Labels, free: Labels, fixed: int) -> Labels:
    """Labels in which those above `fixed` are `free` ones (0, 1, ...; -1 = none) instead."""
    return _compact(np.where(free >= 0, free + fixed + 1, np.where(labels > fixed, 0, labels)), fixed)


def _above(labels: Labels, fixed: int) -> Bool[np.ndarray, " c"]:
    return np.arange(int(labels.max(initial=0)) + 1) > fixed


def _compact(labels: Labels, fixed: int) -> Labels:
    """Labels above `fixed` without gaps, in the same order; the others as they are."""
    free = np.unique(labels[labels > fixed])
    return np.where(labels > fixed, np.searchsorted(free, labels) + fixed + 1, labels)
