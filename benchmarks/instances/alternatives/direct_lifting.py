"""Direct lifting: each Gaussian takes the mask id under which the views see it most. Trains nothing, and needs true ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.instances.alternatives.base import Labels, Material
from s3d_splat.instances.consensus import cluster_columns


@dataclass(frozen=True)
class DirectLifting:
    """The rendering-weight average of the one-hot mask labels of all views (LUDVIG's uplift), and its largest entry."""

    def labels(self, material: Material) -> Labels:
        """Ids of things as the masks of the scene have them; stuff by its class, above."""
        evidence = material.evidence
        highest = int(evidence.given_id.max(initial=0))
        name = np.where(evidence.stuff, highest + evidence.class_id, evidence.given_id)
        votes = csr_matrix(evidence.weights.T @ cluster_columns(name, int(name.max(initial=0)) + 1))
        return np.asarray(votes.argmax(axis=1)).ravel()
