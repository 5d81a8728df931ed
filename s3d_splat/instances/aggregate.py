"""Anchors to clusters, without a look at any mask: seeds, k-means, graph, small clusters, unseen anchors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.instances.graph import components, segment_edges
from s3d_splat.instances.options import AggregationOptions
from s3d_splat.instances.over_segmentation import joint_space, over_segment, segment_means


@dataclass(frozen=True)
class AnchorClusters:
    """Clusters 1..K of anchors; row i of `prototypes` and `sizes` belongs to cluster i + 1."""

    labels: Int[Tensor, " a"]  # int32, 0 = none
    segments: Int[Tensor, " a"]  # int32, over-segment, -1 = anchor not seen
    prototypes: Float[Tensor, "K d"]  # mean feature, unit length
    sizes: Int[Tensor, " K"]  # anchors, unseen ones included


def aggregate_anchors(
    positions: Float[Tensor, "a 3"],
    features: Float[Tensor, "a d"],
    weights: Float[Tensor, " a"],
    options: AggregationOptions,
    generator: torch.Generator,
    children: int = 1,
) -> AnchorClusters:
    """Clusters of anchors that are alike in feature and connected in space (InstanceGaussian, section 3.3).

    `weights` say how much of each anchor the views saw; anchors with weight 0 have learnt no feature: they are no seeds
    and count for no prototype, and take the label of the nearest labelled anchor within `options.unseen_radius` metres. An
    anchor counts as `children` Gaussians in the size rules. Runs on the CPU; the result is where `positions` are.
    """
    device = positions.device
    positions, features, weights = (value.detach().cpu() for value in (positions, features, weights))
    seen = torch.nonzero(weights > 0)[:, 0]
    segments = torch.full((len(positions),), -1, dtype=torch.int64)
    labels = torch.zeros(len(positions), dtype=torch.int64)
    if len(seen):
        points = joint_space(positions[seen], features[seen], options.position_weight)
        segments[seen] = over_segment(points, options.seeds, options.iterations, generator)
        labels[seen] = _join(positions[seen], features[seen], weights[seen], segments[seen], options, children)
    labels = _with_neighbours(positions, labels, weights <= 0, options.unseen_radius)
    count = int(labels.max()) if len(labels) else 0
    owned = labels > 0
    prototypes = segment_means(normalize(features[owned], dim=1), labels[owned] - 1, count, weights[owned])
    return AnchorClusters(
        labels=labels.int().to(device),
        segments=segments.int().to(device),
        prototypes=normalize(prototypes, dim=1).to(device),
        sizes=torch.bincount(labels, minlength=count + 1)[1:].to(device),
    )


def _join(
    positions: Float[Tensor, "n 3"],
    features: Float[Tensor, "n d"],
    weights: Float[Tensor, " n"],
    segments: Int[Tensor, " n"],
    options: AggregationOptions,
    children: int,
) -> Int[Tensor, " n"]:
    """Cluster 1, 2, ... of each seen anchor, 0 where its cluster is too small; the largest cluster is 1."""
    sizes = torch.bincount(segments) * children
    prototypes = normalize(segment_means(normalize(features, dim=1), segments, len(sizes), weights), dim=1)
    joinable = (sizes >= options.min_join).long()
    pairs = segment_edges(prototypes, positions, segments, joinable, options)
    cluster = components(len(sizes), pairs)[segments]
    return numbered_by_size(cluster, torch.bincount(cluster) * children >= options.min_size)


def numbered_by_size(cluster: Int[Tensor, " n"], keep: Bool[Tensor, " k"]) -> Int[Tensor, " n"]:
    """Labels 1, 2, ... for the clusters to keep, the largest first (ties: lowest cluster), and 0 for the others."""
    sizes = torch.bincount(cluster, minlength=len(keep)) * keep
    order = torch.argsort(sizes, descending=True, stable=True)[: int(keep.sum())]
    label = torch.zeros(len(keep), dtype=torch.int64)
    label[order] = torch.arange(1, len(order) + 1)
    return label[cluster]


def _with_neighbours(
    positions: Float[Tensor, "a 3"], labels: Int[Tensor, " a"], unseen: Bool[Tensor, " a"], radius: float
) -> Int[Tensor, " a"]:
    """Labels in which unseen anchors take the nearest label within `radius` metres, if there is one."""
    known = torch.nonzero(labels > 0)[:, 0]
    nearest = nearest_neighbours(positions[unseen], positions[known], 1, radius)[1][:, 0]
    result = labels.clone()
    result[unseen] = torch.where(nearest >= 0, labels[known][nearest], 0) if len(known) else 0
    return result
