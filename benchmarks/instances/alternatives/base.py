"""The seam between a trained field with the masks of its training views and whatever finds the objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.instances.build import mask_classes
from s3d_splat.instances.classes import instance_set
from s3d_splat.instances.evidence import Decode, MaskClasses, MaskedView, MaskEvidence, gather_evidence
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.instances.relift.rounds import is_unlabelled, with_neighbours
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of
from s3d_splat.pipeline.runs import TrainedRun, decode
from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import InstanceSet, Scene

Labels = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class LabelledView:
    """A training view with its masks, ids as the scene gives them."""

    masked: MaskedView
    depth: Float[Tensor, "h w"] | None  # metres, 0 = none


@dataclass(frozen=True)
class Material:
    """What every method has to work with."""

    cloud: Float[Tensor, "p 3"]  # points of the proxy, metres
    classes: MaskClasses
    views: Callable[[], Iterator[LabelledView]]  # read anew at every call, one at a time
    positions: Float[Tensor, "a 3"]  # anchors, metres, on the CPU
    features: Float[Tensor, "a d"]  # unit length
    seen: Float[Tensor, " a"]  # rendering weight over the training views, pixels
    children: int  # Gaussians an anchor decodes
    evidence: MaskEvidence  # rendering weights of the n = a * children Gaussians under the masks of every view
    decode: Decode
    rasterizer: Rasterizer
    options: InstanceOptions
    seconds: float  # that gathering it took


class Alternative(Protocol):
    """A way to find the objects. A variant is a frozen dataclass whose fields are its constants."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def labels(self, material: Material) -> Labels:
        """The object of every Gaussian, anchor by anchor: any number, 0 = none. No number is tied to a class."""


def gather(run: TrainedRun, options: InstanceOptions) -> Material:
    """Collect what the alternatives work with; nothing of a test frame is read."""
    start = time.perf_counter()
    scene, field = run.scene, run.field
    classes = mask_classes(scene.instances, scene.classes)
    shown = (view.masked for view in labelled_views(scene))
    evidence = gather_evidence(shown, lambda camera: decode(field, camera), run.rasterizer, classes, options.relift)
    positions = field.positions.detach().cpu()
    children = len(evidence.seen) // max(len(positions), 1)
    return Material(
        cloud=scene.proxy.points,
        classes=classes,
        views=lambda: labelled_views(scene),
        positions=positions,
        features=normalize(field.feature.detach().cpu(), dim=1),
        seen=torch.from_numpy(evidence.seen).reshape(len(positions), children).sum(1),
        children=children,
        evidence=evidence,
        decode=lambda camera: decode(field, camera),
        rasterizer=run.rasterizer,
        options=options,
        seconds=time.perf_counter() - start,
    )


def found_objects(material: Material, labels: Labels) -> InstanceSet:
    """The objects that labels (0 = none) of all Gaussians stand for, by the same votes on classes as ours.

    As in ours, Gaussians that views see mostly without a mask are no object's, those that no view saw take the label of a
    neighbour, and objects of one stuff class are one.
    """
    labels = np.where(is_unlabelled(material.evidence, material.options.relift.min_labelled), 0, labels)
    numbers = np.unique(labels[labels > 0])
    compact = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0)
    compact = with_neighbours(compact, material.evidence, material.children, material.options.aggregation.unseen_radius)
    stuff = len(np.unique(material.evidence.class_id[material.evidence.stuff]))
    return instance_set(material.evidence, np.where(compact > 0, compact + stuff, 0), material.children)


def labelled_views(scene: Scene) -> Iterator[LabelledView]:
    """The training frames that have masks, in order."""
    for frame in frames_of(scene, "train"):
        if frame.instance_path is not None:
            observed = load_observation(frame)
            assert observed.instances is not None
            masked = MaskedView(frame.camera, observed.instances, observed.semantics, observed.mask)
            yield LabelledView(masked, observed.depth)
