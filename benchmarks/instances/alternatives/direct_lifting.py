"""Direct lifting: each Gaussian takes the mask id under which views see it most. Trains nothing, and needs true ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.instances.alternatives.base import Labels, Material
from s3d_splat.instances.consensus import cluster_columns
from s3d_splat.instances.evidence import MaskClasses, MaskedView, gather_evidence


@dataclass(frozen=True)
class DirectLifting:
    """The rendering-weight average of the one-hot mask labels of all views (LUDVIG's uplift), and its largest entry."""

    min_labelled: float = 0.33  # of a Gaussian's weight; one that lies under fewer masks is no object's

    def labels(self, material: Material) -> Labels:
        """Ids as the masks of the scene have them."""
        return lifted_labels(material, (view.masked for view in material.views()), self.min_labelled)


def lifted_labels(material: Material, views: Iterable[MaskedView], min_labelled: float) -> Labels:
    """The mask id (0 = none) with most of each Gaussian's rendering weight, ids meaning the same in every view."""
    named = [replace(view, semantics=None) for view in views]
    highest = max((int(view.instances.max()) for view in named), default=0)
    identity = MaskClasses({i: i for i in range(highest + 1)}, frozenset())  # so that a mask's class is its id
    evidence = gather_evidence(named, material.decode, material.rasterizer, identity, material.options.relift)
    votes = (evidence.weights.T @ cluster_columns(evidence.class_id, highest + 1)).tocsr()
    labelled = np.asarray(votes.sum(axis=1)).ravel()
    best = np.asarray(votes.argmax(axis=1)).ravel()
    return np.where((labelled > 0) & (labelled >= min_labelled * evidence.seen), best, 0)
