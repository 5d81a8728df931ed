"""Objects whose masks break elsewhere in every view: no view sees them whole, so that whole clusters tell nothing.

What lies close together is still under one mask in most views if it is one object, for the breaks are elsewhere each time,
and seldom if it is two, for there every view has a border. Where masks break, objects are therefore drawn anew from single
anchors outwards. What that leaves in parts agrees with each other about as well as each part does with itself.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.geometry.voxels import touching_labels, voxel_keys
from s3d_splat.instances.agglomeration import average_linkage
from s3d_splat.instances.consensus import Labels, pair_agreement, self_agreement
from s3d_splat.instances.evidence import MaskEvidence, clusters_under_masks

_BROKEN = 1 / 3  # of what views show of things; where so much lies in clusters that they do not see whole, masks break
_CLOSE = 0.5  # agreement of neighbours that are one object: a mask in three parts has a break between few of them
_ALIKE = 0.25  # of parts; see `joined_parts`
_NEIGHBOURS = 8  # of an atom that it is compared with
_MAX_ATOMS = 50_000  # more anchors than that are drawn by the cells that they lie in


def masks_break(evidence: MaskEvidence, labels: Labels, whole: float) -> bool:
    """Whether over a third of what views show of clusters 0, 1, ... (negative: none) is of clusters that agree with
    themselves less than `whole`."""
    overlap = clusters_under_masks(evidence, labels, int(labels.max(initial=-1)) + 1)
    shown = np.asarray(overlap.weights.sum(axis=0)).ravel()
    return bool(shown[self_agreement(overlap) < whole].sum() > _BROKEN * shown.sum())


def drawn_anew(evidence: MaskEvidence, free: Bool[np.ndarray, " n"], anchor: Int[np.ndarray, " n"], reach: float) -> Labels:
    """Labels 0, 1, ... of the `free` Gaussians, -1 for others: anchors join that agree with their neighbours.

    Each is compared with its nearest ones within `reach` (metres); groups join by average linkage, the best first.
    """
    labels = np.full(len(free), -1)
    if not free.any():
        return labels
    labels[free], centres, reach = _atoms(evidence.means[free], anchor[free], reach)
    nearest = nearest_neighbours(centres, centres, _NEIGHBOURS + 1, reach)[1].numpy()
    atom = np.arange(len(centres)).repeat(nearest.shape[1])
    pairs = np.stack((atom, nearest.ravel()), axis=1)
    pairs = np.unique(np.sort(pairs[(pairs[:, 1] >= 0) & (pairs[:, 1] != atom)], axis=1), axis=0)
    rates, shared = pair_agreement(clusters_under_masks(evidence, labels, len(centres)), pairs)
    used = shared > 0
    group = average_linkage(len(centres), pairs[used], rates[used], shared[used], _CLOSE)
    return np.where(free, group[labels], -1)


def joined_parts(evidence: MaskEvidence, labels: Labels, voxel: float) -> Labels:
    """Labels (0, 1, ...; negative: not asked) in which parts of one object have joined, under the lowest of their labels.

    Two are alike by the geometric mean of two figures, and join at a quarter and more, the best first. One is their
    agreement over the root of the product of both's agreement with themselves: parts of one object are under one mask
    nearly as often as each is by itself. The other is their agreement where they touch: the mean over pairs of patches of
    both, each within one voxel (edge in metres), that share a face. Two objects that stand before each other agree there,
    and not as a whole; far ends of a large object agree little as a whole.
    """
    overlap = clusters_under_masks(evidence, labels, int(labels.max(initial=-1)) + 1)
    pairs, contact, shared = _contacts(evidence, labels, voxel)
    own = self_agreement(overlap)[pairs]
    alike = pair_agreement(overlap, pairs)[0] / np.sqrt(np.maximum(own.prod(axis=1), np.finfo(float).tiny))
    group = average_linkage(overlap.weights.shape[1], pairs, np.sqrt(contact * alike), shared, _ALIKE)
    return np.where(labels >= 0, group[labels], labels) if len(group) else labels


def _atoms(
    means: Float[np.ndarray, "n 3"], anchor: Int[np.ndarray, " n"], reach: float
) -> tuple[Int[np.ndarray, " n"], Float[torch.Tensor, "a 3"], float]:
    """The atom 0..a - 1 of each Gaussian, their centres, and how far to look for the next one: anchors, or cells of a grid
    where anchors are too many."""
    named, atom = np.unique(anchor, return_inverse=True)
    edge = reach / 4
    while len(named) > _MAX_ATOMS:
        named, atom = np.unique(voxel_keys(torch.from_numpy(means), edge).numpy(), return_inverse=True)
        reach, edge = max(reach, 2 * edge), 2 * edge
    sizes = np.bincount(atom.ravel())
    centres = np.stack([np.bincount(atom.ravel(), weights=axis) / sizes for axis in means.T], axis=1)
    return atom.ravel(), torch.from_numpy(centres), reach


def _contacts(
    evidence: MaskEvidence, labels: Labels, voxel: float
) -> tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Pairs of labels that touch, their mean agreement over pairs of patches that do, and its weight (over 0)."""
    points = torch.from_numpy(evidence.means)
    asked = np.flatnonzero((labels >= 0) & (evidence.seen > 0))
    keys = voxel_keys(points[asked], voxel).numpy()
    named, place = np.unique(np.stack((labels[asked], keys)), axis=1, return_inverse=True)
    patch = np.full(len(labels), -1)
    patch[asked] = place.ravel()
    touching = touching_labels(points, torch.from_numpy(patch), voxel).numpy()
    owner = named[0]
    touching = touching[owner[touching[:, 0]] != owner[touching[:, 1]]]
    rates, shared = pair_agreement(clusters_under_masks(evidence, patch, len(owner)), touching)
    pairs, of_contact = np.unique(np.sort(owner[touching], axis=1), axis=0, return_inverse=True)
    weight, same = (
        np.bincount(of_contact.ravel(), weights=values, minlength=len(pairs)).astype(float)
        for values in (shared, shared * rates)
    )
    used = weight > 0
    return pairs[used], same[used] / weight[used], weight[used]
