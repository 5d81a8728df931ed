"""Over-segments that are alike and touch in space, and what such pairs chain together (InstanceGaussian, section 3.3)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from s3d_splat.geometry.voxels import touching_labels
from s3d_splat.instances.clustering.base import OverSegments
from s3d_splat.instances.clustering.threshold import CANDIDATES, WITHOUT_VIEWS, best_threshold
from s3d_splat.instances.graph import components
from s3d_splat.instances.options import AggregationOptions


def cluster_by_graph(segments: OverSegments, options: AggregationOptions) -> Int[Tensor, " k"]:
    """Connected components of the graph whose edges `options.edges` chooses; see `Clustering`."""
    pairs = _comparable_pairs(segments, options)
    pairs = pairs[segments.joinable[pairs].all(1)]
    if options.edges != "voxel":
        pairs = pairs[_distances(segments, pairs) < _threshold(segments, pairs, options)]
    return components(len(segments.looks), pairs)


def _comparable_pairs(segments: OverSegments, options: AggregationOptions) -> Int[Tensor, "m 2"]:
    """Pairs (i < j) that touch; where touching does not count, all that may be alike."""
    if options.edges != "feature":
        return touching_labels(segments.positions, segments.labels, options.voxel)
    reach = options.feature_threshold if options.feature_threshold is not None else max(*CANDIDATES, WITHOUT_VIEWS)
    close = cKDTree(segments.looks.numpy()).query_pairs(reach, output_type="ndarray")
    return torch.from_numpy(np.sort(close, axis=1).astype(np.int64).reshape(-1, 2))


def _distances(segments: OverSegments, pairs: Int[Tensor, "m 2"]) -> Float[Tensor, " m"]:
    return (segments.looks[pairs[:, 0]] - segments.looks[pairs[:, 1]]).norm(dim=1)


def _threshold(segments: OverSegments, pairs: Int[Tensor, "m 2"], options: AggregationOptions) -> float:
    if options.feature_threshold is not None:
        return options.feature_threshold
    if segments.overlap is None:
        return WITHOUT_VIEWS
    return best_threshold(pairs, _distances(segments, pairs), segments.overlap)
