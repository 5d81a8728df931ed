"""Which over-segments are one object: alike in feature, touching in space, and whatever such pairs chain together."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from s3d_splat.geometry.voxels import touching_labels
from s3d_splat.instances.options import AggregationOptions


def segment_edges(
    prototypes: Float[Tensor, "k d"],
    positions: Float[Tensor, "n 3"],
    segments: Int[Tensor, " n"],
    joinable: Int[Tensor, " k"],
    options: AggregationOptions,
) -> Int[Tensor, "m 2"]:
    """Pairs (i < j) of over-segments that `options.edges` joins, both of them joinable (not 0).

    `prototypes` have unit length; their distance is taken after mapping the coordinates from -1..1 to 0..1.
    """
    if options.edges == "feature":
        close = cKDTree(prototypes.numpy() / 2).query_pairs(options.feature_threshold, output_type="ndarray")
        pairs = torch.from_numpy(np.sort(close, axis=1).astype(np.int64).reshape(-1, 2))
    else:
        pairs = touching_labels(positions, segments, options.voxel)
    if options.edges != "voxel":
        distance = (prototypes[pairs[:, 0]] - prototypes[pairs[:, 1]]).norm(dim=1) / 2
        pairs = pairs[distance < options.feature_threshold]
    return pairs[(joinable[pairs] != 0).all(1)]


def components(count: int, pairs: Int[Tensor, "m 2"]) -> Int[Tensor, " k"]:
    """The connected component (0, 1, ...) of each of `count` nodes, numbered by their lowest node."""
    left, right = pairs.numpy().T
    graph = coo_matrix((np.ones(len(pairs)), (left, right)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    first, inverse = np.unique(labels, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return torch.from_numpy(rank[inverse])
