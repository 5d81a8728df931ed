"""A codebook of a fixed number of entries over the features, as OpenGaussian quantises them: an entry is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.instances.alternatives.base import Labels, Material
from s3d_splat.instances.over_segmentation import joint_space


@dataclass(frozen=True)
class Codebook:
    """k-means over features and positions (scikit-learn's, k-means++ seeds)."""

    entries: int = 64
    position_weight: float = 0.3  # units of feature distance a metre
    restarts: int = 3
    seed: int = 0

    def labels(self, material: Material) -> Labels:
        """The entry of each anchor that some view saw, from 1 on."""
        from sklearn.cluster import KMeans

        seen = np.flatnonzero(material.seen.numpy() > 0)
        labels = np.zeros(len(material.positions), dtype=np.int64)
        if len(seen):
            points = joint_space(material.positions[seen], material.features[seen], self.position_weight).numpy()
            means = KMeans(min(self.entries, len(seen)), n_init=self.restarts, random_state=self.seed)
            labels[seen] = means.fit_predict(points) + 1
        return labels.repeat(material.children)
