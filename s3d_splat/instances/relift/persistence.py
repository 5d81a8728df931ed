"""Mask ids that go on from view to view, found by themselves: where they do, they are worth more than any clustering.

The persistence of an id is how much of what is seen of the Gaussians below its masks is seen in views that have the id
at all: 1 for an id that one object has wherever it is labelled, 1 / views for ids that were drawn anew in every view,
whatever they are called. An object that is small, or has ragged borders, shares its Gaussians with its neighbours in the
same views, and is none the less persistent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, vstack

from s3d_splat.instances.consensus import cluster_columns
from s3d_splat.instances.evidence import MaskEvidence

_BLOCK = 4_096  # ids whose views are compared at a time: ids that are new in every view are many


@dataclass(frozen=True)
class PersistentObjects:
    """Things 1..count, in the order in which views show them; 0 = none of them."""

    count: int
    of_gaussian: Int[np.ndarray, " n"]
    of_mask: Int[np.ndarray, " m"]


def persistent_objects(evidence: MaskEvidence, threshold: float, min_pixels: int) -> PersistentObjects:
    """The things whose ids persist, with their Gaussians and masks.

    A Gaussian has the id, or the stuff class, that holds most of its labelled weight. Ids that persist less than
    `threshold`, or whose Gaussians weigh less than `min_pixels` over all views, do not count; a cup may be a few Gaussians.
    """
    weights, first, ids, row = _by_name(evidence)
    if not weights.shape[0]:
        return PersistentObjects(0, np.zeros(len(evidence.seen), dtype=np.int64), np.zeros(0, dtype=np.int64))
    trusted = np.zeros(len(first), dtype=bool)
    trusted[:ids] = persistence(evidence, weights[:ids], row) >= threshold
    best = np.asarray(weights.argmax(axis=0)).ravel()
    held = np.asarray(weights.max(axis=0).toarray()).ravel()
    mine = (held > 0) & trusted[best]
    mine &= np.bincount(best[mine], weights=held[mine], minlength=len(first))[best] >= min_pixels
    owners = np.unique(best[mine])
    number = np.zeros(len(first), dtype=np.int64)
    number[owners[np.argsort(first[owners])]] = np.arange(1, len(owners) + 1)
    return PersistentObjects(len(owners), np.where(mine, number[best], 0), number[row])


def persistence(evidence: MaskEvidence, weights: csr_matrix, row: Int[np.ndarray, " m"]) -> Float[np.ndarray, " k"]:
    """0..1 of each id of a thing, whose rendering weights on the Gaussians are a row of `weights` ([k, n]); `row` is that of
    each mask."""
    views = int(evidence.view.max(initial=-1)) + 1
    labelled = csr_matrix(_summed(evidence.weights, evidence.view, views))
    everywhere = np.asarray(labelled.sum(axis=0)).ravel()
    things = np.flatnonzero(~evidence.stuff)
    present = csr_matrix(
        (np.ones(len(things)), (row[things], evidence.view[things])), shape=(weights.shape[0], views)
    ).minimum(1)
    own = csr_matrix(weights.multiply(1 / np.maximum(everywhere, 1e-12)[None]))
    there = [
        (own[at : at + _BLOCK] @ labelled.T).multiply(present[at : at + _BLOCK]).sum(axis=1)
        for at in range(0, weights.shape[0], _BLOCK)
    ]
    shown = np.concatenate([np.zeros(0), *(np.asarray(part).ravel() for part in there)])
    return shown / np.maximum(np.asarray(weights.sum(axis=1)).ravel(), 1e-12)


def _by_name(evidence: MaskEvidence) -> tuple[csr_matrix, Int[np.ndarray, " k"], int, Int[np.ndarray, " m"]]:
    """Rendering weights [k, n] of the ids of things, then of the classes of stuff, over all views; the first mask of each;
    the number of ids; the row of each mask."""
    parts: list[csr_matrix] = []
    first: list[Int[np.ndarray, " k"]] = []
    counts: list[int] = []
    row = np.zeros(len(evidence.view), dtype=np.int64)
    for kind, name in ((~evidence.stuff, evidence.given_id), (evidence.stuff, evidence.class_id)):
        masks = np.flatnonzero(kind)
        _, start, place = np.unique(name[masks], return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(start))  # by first mask: what ids are called decides no tie
        start, place = np.sort(start), rank[place]
        rows = np.full(len(kind), -1)
        rows[masks] = place
        row[masks] = place + sum(counts)
        parts.append(_summed(evidence.weights, rows, len(start)))
        first.append(masks[start])
        counts.append(len(start))
    return csr_matrix(vstack(parts)), np.concatenate(first), counts[0], row


def _summed(weights: csr_matrix, group: Int[np.ndarray, " m"], groups: int) -> csr_matrix:
    """Rows of `weights` summed by group 0..groups - 1 (-1: by none)."""
    # A transposed matrix is stored by columns, for whose sake scipy would turn round the weights, which are many.
    return csr_matrix(cluster_columns(group, groups).T) @ weights
