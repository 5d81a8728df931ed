"""Mask ids that go on from view to view, found by themselves: where they do, they are worth more than any clustering.

The persistence of an id is how often another look at what it covers calls it the same: the mean over its rendering weight
of the share that it has of all labelled weight on the same Gaussians. Near 1 for an id that one object has in every view, about
1 / views for ids that were drawn anew in every view, whatever the ids are called.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from s3d_splat.instances.consensus import cluster_columns
from s3d_splat.instances.evidence import MaskEvidence


def persistent_labels(evidence: MaskEvidence, threshold: float, min_size: int) -> Int[np.ndarray, " n"]:
    """1..c for the Gaussians of things whose ids persist, in the order in which views show them; 0 for the others.

    A Gaussian has the id that holds most of its labelled weight. Ids that persist less than `threshold`, or that fewer than
    `min_size` Gaussians have, do not count.
    """
    weights, first = _by_id(evidence)
    labels = np.zeros(len(evidence.seen), dtype=np.int64)
    if not weights.shape[0]:
        return labels
    trusted = persistence(weights, evidence) >= threshold
    columns = weights.tocsc()
    owned = np.diff(columns.indptr) > 0
    best = np.asarray(weights.argmax(axis=0)).ravel()
    # The whole labelled weight of a Gaussian, stuff and unsteady ids included, must not lie elsewhere.
    labelled = np.asarray(evidence.weights.sum(axis=0)).ravel()
    held = np.asarray(weights.max(axis=0).toarray()).ravel()
    mine = owned & trusted[best] & (2 * held >= labelled)
    mine &= np.bincount(best[mine], minlength=len(trusted))[best] >= min_size
    order = np.argsort(first[np.unique(best[mine])])
    number = np.zeros(len(trusted), dtype=np.int64)
    number[np.unique(best[mine])[order]] = np.arange(1, len(order) + 1)
    labels[mine] = number[best[mine]]
    return labels


def persistence(weights: csr_matrix, evidence: MaskEvidence) -> Float[np.ndarray, " k"]:
    """Of each id (row of `weights`, [k, n] pixels): 0..1."""
    labelled = np.asarray(evidence.weights.sum(axis=0)).ravel()
    share = csr_matrix(weights.multiply(np.divide(1.0, labelled, out=np.zeros_like(labelled), where=labelled > 0)[None]))
    same = np.asarray(weights.multiply(share).sum(axis=1)).ravel()
    total = np.asarray(weights.sum(axis=1)).ravel()
    return np.divide(same, total, out=np.zeros_like(total), where=total > 0)


def _by_id(evidence: MaskEvidence) -> tuple[csr_matrix, Int[np.ndarray, " k"]]:
    """Rendering weights [k, n] of the ids of things over all views, and the first mask of each."""
    things = np.flatnonzero(~evidence.stuff)
    _, first, place = np.unique(evidence.given_id[things], return_index=True, return_inverse=True)
    rows = np.full(len(evidence.stuff), -1)
    rows[things] = place
    return csr_matrix(cluster_columns(rows, len(first)).T @ evidence.weights), things[first]
