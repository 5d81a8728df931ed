"""The chain from a trained field and its training views to the objects of the scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.instances.aggregate import aggregate_anchors
from s3d_splat.instances.classes import instance_set
from s3d_splat.instances.consensus import Overlap
from s3d_splat.instances.evidence import (
    ANYWHERE,
    Decode,
    MaskClasses,
    MaskedView,
    MaskEvidence,
    clusters_under_masks,
    gather_evidence,
)
from s3d_splat.instances.options import AggregationOptions, InstanceOptions
from s3d_splat.instances.over_segmentation import usual_spacing
from s3d_splat.instances.relift.persistence import persistent_objects
from s3d_splat.instances.relift.rounds import relift, with_neighbours
from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import ClassInfo, InstanceInfo, InstanceSet


def build_instances(
    positions: Float[Tensor, "a 3"],
    features: Float[Tensor, "a *s d"],
    decode: Decode,
    rasterizer: Rasterizer,
    views: Iterable[MaskedView],
    classes: MaskClasses,
    options: InstanceOptions,
) -> InstanceSet:
    """Objects of a field with `a` anchors (positions in metres), as the masks of `views` show them.

    `features` are the anchors' [a, d], or those of their k Gaussians [a, k, d]: these are clustered then, not the anchors.
    `decode` gives all a * k Gaussians for a camera, anchor by anchor; `views` are training views, in a fixed order. The
    result is on the CPU and has the same bits for the same seed, whatever the mask ids are called; all that counts is which
    of them go on from view to view (`persistence`).
    """
    evidence = gather_evidence(views, decode, rasterizer, classes, options.relift)
    return instances_from_evidence(positions, features, decode, evidence, options)


def instances_from_evidence(
    positions: Float[Tensor, "a 3"],
    features: Float[Tensor, "a *s d"],
    decode: Decode,
    evidence: MaskEvidence,
    options: InstanceOptions,
) -> InstanceSet:
    """`build_instances` for who has the evidence already: other thresholds need no other views.

    Which masks and weights count (`min_pixels`, `min_weight` of `options`) was decided when it was gathered.
    """
    children = max(len(evidence.seen) // max(len(positions), 1), 1)
    aggregation = _as_sparse_as(positions, options.aggregation)
    labels = _clustered(positions, features, decode, evidence, replace(options, aggregation=aggregation))
    if not options.relift.rounds:  # stuff comes first where masks choose, and here nothing is stuff
        labels = np.where(labels > 0, labels + len(np.unique(evidence.class_id[evidence.stuff])), 0)
    else:
        known = persistent_objects(evidence, options.relift.persistence, options.relift.min_pixels)
        labels = relift(evidence, labels, options.relift, aggregation.voxel, known, children)
    labels = with_neighbours(labels, evidence, children, aggregation.unseen_radius)
    return instance_set(evidence, labels, children)


def _as_sparse_as(positions: Float[Tensor, "a 3"], options: AggregationOptions) -> AggregationOptions:
    """Options with lengths for anchors that are sparser than a voxel, as in a scene in another unit than metres."""
    spacing = usual_spacing(positions.detach().cpu())
    radius = options.unseen_radius / options.voxel * max(options.voxel, spacing)
    return replace(options, voxel=max(options.voxel, spacing), unseen_radius=radius)


def _clustered(
    positions: Float[Tensor, "a 3"],
    features: Float[Tensor, "a *s d"],
    decode: Decode,
    evidence: MaskEvidence,
    options: InstanceOptions,
) -> Int[np.ndarray, " n"]:
    """Cluster 1, 2, ... of every Gaussian, 0 = none, from what has a feature: anchors or single Gaussians."""
    points = positions if features.ndim == 2 else torch.from_numpy(evidence.means).to(positions)
    gaussians = len(evidence.seen) // max(len(points), 1)  # a point

    def masks_over(segments: Int[Tensor, " p"]) -> Overlap:
        of_gaussian = segments.numpy().repeat(gaussians)
        return clusters_under_masks(evidence, of_gaussian, int(segments.max()) + 1)

    colours = None
    if options.aggregation.edges == "colour":
        colours = decode(ANYWHERE).colours.reshape(len(points), gaussians, 3).mean(1)
    clusters = aggregate_anchors(
        points,
        features.flatten(0, -2),
        torch.from_numpy(evidence.seen).reshape(len(points), gaussians).sum(1),
        options.aggregation,
        torch.Generator().manual_seed(options.seed),
        gaussians,
        colours,
        masks_over,
    )
    return clusters.labels.cpu().numpy().astype(np.int64).repeat(gaussians)


def mask_classes(instances: Sequence[InstanceInfo], classes: Sequence[ClassInfo]) -> MaskClasses:
    """What the tables of a scene say about its masks."""
    stuff = {entry.id for entry in classes if not entry.is_thing} - {0}
    stuff |= {entry.class_id for entry in instances if not entry.is_thing} - {0}
    return MaskClasses({entry.id: entry.class_id for entry in instances}, frozenset(stuff))
