"""Over-segments as points, clustered by how densely they lie (Campello et al. 2013; scikit-learn's HDBSCAN).

InstanceGaussian compares its graph with this: the number of clusters, and how alike their members must be, follow from the
density alone.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.instances.clustering.base import OverSegments
from s3d_splat.instances.graph import components
from s3d_splat.instances.options import AggregationOptions
from s3d_splat.instances.over_segmentation import segment_means


def cluster_by_hdbscan(segments: OverSegments, options: AggregationOptions) -> Int[Tensor, " k"]:
    """Clusters in the space of over-segmentation, looks beside scaled positions; noise stays alone; see `Clustering`.

    Raises:
        S3DError: a cluster of fewer than two over-segments is asked for.
    """
    from sklearn.cluster import HDBSCAN

    if options.hdbscan_min_segments < 2:
        raise S3DError(
            f"aggregation.hdbscan_min_segments is {options.hdbscan_min_segments}",
            why="one over-segment alone has no density",
            fix="give --aggregation.hdbscan-min-segments 2 or more",
        )
    count = len(segments.looks)
    rows = torch.nonzero(segments.joinable)[:, 0]
    if len(rows) < options.hdbscan_min_segments:
        return torch.arange(count)
    centres = segment_means(segments.positions.double(), segments.labels, count)
    points = torch.cat((2 * segments.looks.double(), centres * options.position_weight), dim=1)[rows]
    found = HDBSCAN(min_cluster_size=options.hdbscan_min_segments, copy=True).fit_predict(points.numpy())
    first = np.unique(found, return_index=True)
    root = dict(zip(first[0].tolist(), rows[torch.from_numpy(first[1])].tolist(), strict=True))
    links = [(root[label], row) for label, row in zip(found.tolist(), rows.tolist(), strict=True) if label >= 0]
    return components(count, torch.tensor(links, dtype=torch.int64).reshape(-1, 2))
