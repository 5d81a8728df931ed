"""Anchors to clusters: seeds, k-means, what joins over-segments, small clusters, unseen anchors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.instances.clustering.base import OverSegments
from s3d_splat.instances.clustering.registry import CLUSTERINGS
from s3d_splat.instances.consensus import Overlap
from s3d_splat.instances.options import AggregationOptions
from s3d_splat.instances.over_segmentation import connected_parts, joint_space, over_segment, segment_means

MasksOver = Callable[[Int[Tensor, " a"]], Overlap]
"""How the masks of the views lie over segments of anchors (segment 0, 1, ... of each anchor, -1 = none)."""


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
    colours: Float[Tensor, "a 3"] | None = None,
    masks_over: MasksOver | None = None,
) -> AnchorClusters:
    """Clusters of anchors that are alike in feature and connected in space (InstanceGaussian, section 3.3).

    `weights` say how much of each anchor the views saw; anchors with weight 0 have learnt no feature: they are no seeds
    and count for no prototype, and take the label of the nearest labelled anchor within `options.unseen_radius` metres. An
    anchor counts as `children` Gaussians in the size rules. The anchors may as well be Gaussians with features of their own.
    `colours` (0..1) are needed where edges compare them, `masks_over` where the threshold is chosen from the masks. Runs on
    the CPU; the result is where `positions` are.
    """
    device = positions.device
    positions, features, weights = (value.detach().cpu() for value in (positions, features, weights))
    seen = torch.nonzero(weights > 0)[:, 0]
    segments = torch.full((len(positions),), -1, dtype=torch.int64)
    labels = torch.zeros(len(positions), dtype=torch.int64)
    if len(seen):
        points = joint_space(positions[seen], features[seen], options.position_weight)
        segments[seen] = over_segment(points, options.seeds, options.iterations, generator, options.first_seed)
        if options.connected:
            least = -(-options.min_size // children)
            segments[seen] = connected_parts(positions[seen], segments[seen], options.voxel, least)
        chosen = masks_over if options.feature_threshold is None else None
        described = OverSegments(
            positions[seen],
            segments[seen],
            _looks(features[seen], None if colours is None else colours[seen], weights[seen], segments[seen], options),
            torch.bincount(segments[seen]) * children >= options.min_join,
            None if chosen is None else chosen(segments),
        )
        cluster = CLUSTERINGS[options.clustering](described, options)[segments[seen]]
        labels[seen] = numbered_by_size(cluster, torch.bincount(cluster) * children >= options.min_size)
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


def _looks(
    features: Float[Tensor, "n d"],
    colours: Float[Tensor, "n 3"] | None,
    weights: Float[Tensor, " n"],
    segments: Int[Tensor, " n"],
    options: AggregationOptions,
) -> Float[Tensor, "k e"]:
    """What over-segments are compared by, in a space of edge 1 (see `OverSegments.looks`)."""
    count = int(segments.max()) + 1
    if options.edges == "colour":
        if colours is None:
            raise ValueError("edges compare colours, and there are none")
        return segment_means(colours.detach().cpu(), segments, count, weights)
    return normalize(segment_means(normalize(features, dim=1), segments, count, weights), dim=1) / 2


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
