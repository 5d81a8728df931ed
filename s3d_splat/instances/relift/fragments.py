"""Objects whose masks break elsewhere in every view: no view sees them whole, but their parts agree where they meet.

Two halves of a sofa lie under one mask in few views if each view cuts it in three; what lies close on both sides of where
the halves meet is under one mask in most. Between two objects it is in few.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from s3d_splat.geometry.voxels import touching_labels, voxel_keys
from s3d_splat.instances.agglomeration import average_linkage
from s3d_splat.instances.consensus import Labels, pair_agreement, self_agreement
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks


def joined_fragments(evidence: MaskEvidence, labels: Labels, threshold: float, voxel: float) -> Labels:
    """Labels (0, 1, ...; negative: not asked) in which fragments have joined; a group has the lowest label of its members.

    A cluster is a fragment if it agrees with itself less than `threshold`. It joins another where the two agree at
    `threshold` or more along their contact: the mean over pairs of patches of both, each within one voxel (edge in metres),
    that share a face. What has joined is one cluster for the next (average linkage, the best first).
    """
    count = int(labels.max(initial=-1)) + 1
    if count < 2:
        return labels
    fragment = self_agreement(clusters_under_masks(evidence, labels, count)) < threshold
    pairs, rates, shared = _contacts(evidence, labels, fragment, voxel)
    group = average_linkage(count, pairs[shared > 0], rates[shared > 0], shared[shared > 0], threshold)
    return np.where(labels >= 0, group[labels], labels)


def _contacts(
    evidence: MaskEvidence, labels: Labels, fragment: Bool[np.ndarray, " c"], voxel: float
) -> tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Pairs of labels, one of them a fragment, for each contact of a patch of the one with a patch of the other; their
    agreement, and the weight it rests on."""
    points = torch.from_numpy(evidence.means)
    asked = np.flatnonzero((labels >= 0) & (evidence.seen > 0))
    keys = voxel_keys(points[asked], voxel).numpy()
    named, place = np.unique(np.stack((labels[asked], keys)), axis=1, return_inverse=True)
    patch = np.full(len(labels), -1)
    patch[asked] = place.ravel()
    touching = touching_labels(points, torch.from_numpy(patch), voxel).numpy()
    owner = named[0]
    meet = owner[touching]
    touching = touching[(meet[:, 0] != meet[:, 1]) & fragment[meet].any(axis=1)]
    by_patch = clusters_under_masks(evidence, patch, len(owner))
    return (owner[touching], *pair_agreement(by_patch, touching))
