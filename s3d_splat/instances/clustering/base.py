"""The seam between over-segments and whatever joins them to objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.instances.consensus import Overlap
from s3d_splat.instances.options import AggregationOptions


@dataclass(frozen=True)
class OverSegments:
    """k over-segments of n points (anchors, or Gaussians where each has a feature of its own)."""

    positions: Float[Tensor, "n 3"]  # metres
    labels: Int[Tensor, " n"]  # 0..k-1, none of them empty
    looks: Float[Tensor, "k d"]  # in a space of edge 1: mean feature (unit length, halved) or mean colour
    joinable: Bool[Tensor, " k"]  # whether it is large enough to join another
    overlap: Overlap | None = None  # with the masks of the views; given where a threshold is to be chosen from them


class Clustering(Protocol):
    """Tells which over-segments are one object."""

    def __call__(self, segments: OverSegments, options: AggregationOptions) -> Int[Tensor, " k"]:
        """The cluster (0, 1, ..., numbered by their lowest member) of each over-segment.

        An over-segment that is not joinable, or that is like no other, is a cluster of its own. The same bits for the same
        input.
        """
