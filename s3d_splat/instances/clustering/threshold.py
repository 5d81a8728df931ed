"""How alike over-segments must be, asked of the views instead of the user, and without any truth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from s3d_splat.instances.consensus import Overlap, agreement
from s3d_splat.instances.graph import components

CANDIDATES = tuple(0.02 * step for step in range(1, 8))
"""Up to what InstanceGaussian takes for ScanNet (0.15): what is further apart is left for the masks to join."""
WITHOUT_VIEWS = 0.15
"""The threshold where no view shows two over-segments under masks (InstanceGaussian's, for ScanNet)."""
_CERTAIN = 0.75  # agreement from which two over-segments belong together: masks join parts later, and a wrong join stays
_MAX_SEGMENTS = 2_000  # those with most weight are asked about; the matrix of pairs is dense


def best_threshold(pairs: Int[Tensor, "m 2"], distances: Float[Tensor, " m"], overlap: Overlap) -> float:
    """The distance of `CANDIDATES` whose clusters the views agree with most; the lowest of several.

    Candidates are judged by the clusters that they chain together, not edge by edge: one wrong edge joins two objects. Two
    over-segments of one cluster count for it by how much a view shows of both (pixels) where they lie under one mask, and
    three times as much against it where they lie under two. No mask id is compared with one of another view.
    """
    count = overlap.weights.shape[1]
    total = np.asarray(overlap.weights.sum(axis=0)).ravel()
    members = np.sort(np.argsort(-total, kind="stable")[:_MAX_SEGMENTS])
    rates, shared = agreement(Overlap(csr_matrix(overlap.weights[:, members]), overlap.view))
    vote = shared * (rates - _CERTAIN)
    np.fill_diagonal(vote, 0.0)
    if not vote.any():
        return WITHOUT_VIEWS

    def support(threshold: float) -> float:
        cluster = components(count, pairs[distances < threshold]).numpy()[members]
        return float(vote[cluster[:, None] == cluster].sum())

    return max(CANDIDATES, key=support)
