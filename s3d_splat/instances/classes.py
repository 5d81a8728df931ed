"""From labelled Gaussians to the objects of the scene: their class, confidence, size and extent."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import cluster_columns, strongest_columns
from s3d_splat.instances.evidence import MaskEvidence
from s3d_splat.instances.relift.choices import mask_choices, most_frequent
from s3d_splat.types import InstanceSet


def instance_set(evidence: MaskEvidence, labels: Int[np.ndarray, " n"], children: int) -> InstanceSet:
    """The objects that the labels of n = a * children Gaussians (anchor by anchor, as `relift` numbers them) stand for.

    The class of an object is the one whose masks hold most of its rendering weight, over all views. Objects of one stuff
    class are one. Ids are 1..K, things before stuff, large before small. The score is what an object and the masks that
    chose it have in common, sum(shared) / sum(union) of rendering weight over all views: 1 where every view outlines it
    exactly, 0 where no mask chose it.
    """
    stuff = np.unique(evidence.class_id[evidence.stuff])
    named = max(int(labels.max(initial=0)), len(stuff)) + 1
    overlap = csr_matrix(evidence.weights @ cluster_columns(np.maximum(labels, 0), named))
    class_of_label = _class_votes(overlap, evidence.class_id)
    class_of_label[1 : len(stuff) + 1] = stuff
    id_of_label = _object_ids(labels, class_of_label, stuff)
    owner = id_of_label[labels]
    count = int(id_of_label.max())
    class_id = np.zeros(count + 1, dtype=np.int32)
    class_id[id_of_label] = class_of_label
    anchor = np.arange(len(owner)) // children
    chosen = id_of_label[mask_choices(evidence, labels, stuff, min_share=0.0)]
    return InstanceSet(
        anchor_instance=torch.from_numpy(most_frequent(anchor, owner, len(owner) // children).astype(np.int32)),
        child_instance=torch.from_numpy(owner.astype(np.int32)).reshape(-1, children),
        instance_id=torch.arange(1, count + 1, dtype=torch.int32),
        class_id=torch.from_numpy(class_id[1:]),
        is_thing=torch.from_numpy((~np.isin(class_id[1:], stuff)).astype(np.int32)),
        score=torch.from_numpy(_scores(overlap, id_of_label, chosen)[1:]).float(),
        size=torch.from_numpy(np.bincount(owner, minlength=count + 1)[1:].astype(np.int32)),
        aabb=torch.from_numpy(_boxes(evidence.means, owner, count)).float(),
    )


def _class_votes(overlap: csr_matrix, class_id: Int[np.ndarray, " m"]) -> Int[np.ndarray, " c"]:
    """Class with the largest weight in each column (ties: lowest class), 0 where no mask of it has a class."""
    voting = np.where(class_id > 0, class_id, -1)
    votes = csr_matrix(overlap.T @ cluster_columns(voting, int(class_id.max(initial=0)) + 1))
    return strongest_columns(votes)


def _object_ids(
    labels: Int[np.ndarray, " n"], class_of_label: Int[np.ndarray, " c"], stuff: Int[np.ndarray, " s"]
) -> Int[np.ndarray, " c"]:
    """Id of the object that each label belongs to, 0 for label 0 and labels without a Gaussian."""
    group = np.arange(len(class_of_label))
    is_stuff = np.isin(class_of_label, stuff)
    is_stuff[0] = False
    group[is_stuff] = len(group) + np.searchsorted(stuff, class_of_label[is_stuff])
    sizes = np.bincount(group[labels[labels > 0]], minlength=len(group) + len(stuff))
    order = np.lexsort((-sizes, np.arange(len(sizes)) >= len(group)))
    order = order[sizes[order] > 0]
    ids = np.zeros(len(sizes), dtype=np.int64)
    ids[order] = np.arange(1, len(order) + 1)
    return ids[group]


def _scores(
    overlap: csr_matrix, id_of_label: Int[np.ndarray, " c"], chosen: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " k"]:
    """Shared over united weight of every object 0..K and the masks that chose it; unlabelled Gaussians count as others."""
    count = int(id_of_label.max()) + 1
    weights = csr_matrix(overlap @ cluster_columns(id_of_label, count))
    owned = np.asarray(weights.sum(axis=0)).ravel()
    masked = np.bincount(chosen, weights=np.asarray(weights.sum(axis=1)).ravel(), minlength=count)
    shared = np.asarray(weights.multiply(cluster_columns(chosen, count)).sum(axis=0)).ravel()
    union = owned + masked - shared
    return np.divide(shared, union, out=np.zeros(count), where=union > 0)


def _boxes(points: Float[np.ndarray, "n 3"], owner: Int[np.ndarray, " n"], count: int) -> Float[np.ndarray, "k 2 3"]:
    """Lowest and highest corner of the points of every object 1..K."""
    low, high = np.full((count + 1, 3), np.inf), np.full((count + 1, 3), -np.inf)
    np.minimum.at(low, owner, points)
    np.maximum.at(high, owner, points)
    return np.stack((low, high), axis=1)[1:]
