"""HDBSCAN over the features: groups as dense as they come, in any number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.instances.alternatives.base import Labels, Material
from s3d_splat.instances.over_segmentation import joint_space


@dataclass(frozen=True)
class Density:
    """HDBSCAN over features and positions (scikit-learn's); what it calls noise goes to the nearest group."""

    min_cluster_size: int = 10  # anchors
    min_samples: int = 5
    position_weight: float = 1.0  # units of feature distance a metre

    def labels(self, material: Material) -> Labels:
        """The group of each anchor that some view saw, from 1 on."""
        from scipy.spatial import cKDTree
        from sklearn.cluster import HDBSCAN

        seen = np.flatnonzero(material.seen.numpy() > 0)
        labels = np.zeros(len(material.positions), dtype=np.int64)
        if len(seen) >= max(self.min_cluster_size, self.min_samples):
            points = joint_space(material.positions[seen], material.features[seen], self.position_weight).numpy()
            finder = HDBSCAN(min_cluster_size=self.min_cluster_size, min_samples=self.min_samples, copy=True)
            group = finder.fit_predict(points) + 1
            clustered = np.flatnonzero(group > 0)
            if len(clustered):
                labels[seen] = group[clustered[cKDTree(points[clustered]).query(points)[1]]]
        return labels.repeat(material.children)
