"""The chain from a trained field and its training views to the objects of the scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.instances.aggregate import aggregate_anchors
from s3d_splat.instances.classes import instance_set
from s3d_splat.instances.evidence import Decode, MaskClasses, MaskedView, gather_evidence
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.instances.relift import relift, with_neighbours
from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import ClassInfo, InstanceInfo, InstanceSet


def build_instances(
    positions: Float[Tensor, "a 3"],
    features: Float[Tensor, "a d"],
    decode: Decode,
    rasterizer: Rasterizer,
    views: Iterable[MaskedView],
    classes: MaskClasses,
    options: InstanceOptions,
) -> InstanceSet:
    """Objects of a field with `a` anchors (positions in metres, one feature each), as the masks of `views` show them.

    `decode` gives all a * k Gaussians for a camera, anchor by anchor; `views` are training views, in a fixed order. The
    result is on the CPU and has the same bits for the same seed, however the mask ids of single views were chosen.
    """
    evidence = gather_evidence(views, decode, rasterizer, classes, options.relift)
    children = len(evidence.seen) // max(len(positions), 1)
    seen = torch.from_numpy(evidence.seen).reshape(len(positions), children).sum(1)
    generator = torch.Generator().manual_seed(options.seed)
    clusters = aggregate_anchors(positions, features, seen, options.aggregation, generator, children)
    labels = clusters.labels.cpu().numpy().astype("int64").repeat(children)
    labels = relift(evidence, labels, options.relift)
    labels = with_neighbours(labels, evidence, children, options.aggregation.unseen_radius)
    return instance_set(evidence, labels, children)


def mask_classes(instances: Sequence[InstanceInfo], classes: Sequence[ClassInfo]) -> MaskClasses:
    """What the tables of a scene say about its masks."""
    stuff = {entry.id for entry in classes if not entry.is_thing} - {0}
    stuff |= {entry.class_id for entry in instances if not entry.is_thing} - {0}
    return MaskClasses({entry.id: entry.class_id for entry in instances}, frozenset(stuff))
