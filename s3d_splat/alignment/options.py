"""The settings of cutting, aligning, fusing and naming; plain values, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ClusterOptions:
    """How a capture that comes in one piece is cut for priors that work on a few images at a time."""

    size: int = 100  # images of a cluster
    overlap: int = 10  # images that neighbouring clusters share
    order: Literal["time", "similarity"] = "time"
    interleave: int = 1  # neighbours in the order go to this many different clusters in turn; 1: windows
    keep_every: int = 1  # use every n-th image only


@dataclass(frozen=True)
class PoseOptions:
    """How clusters are joined by Sim(3)."""

    loops: bool = True  # look for places that were seen again


@dataclass(frozen=True)
class FusionOptions:
    """How the depth of all images becomes one cloud."""

    cell: float = 0.008  # edge of a cell, of which one point remains, of the median depth
    images: int = 2  # that must see a cell's surface where it is for it to stay (fewer if there are no more)
    cells: int = 4_000_000  # that are held at a time; with more the edge doubles


@dataclass(frozen=True)
class IdentityOptions:
    """How the ids of clusters become ids of objects."""

    overlap: Literal["both", "2d", "3d"] = "both"  # evidence: masks of shared images, lifted masks in space, or both
    cell: float = 0.0125  # edge of a cell in which lifted masks are compared, of the median depth


@dataclass(frozen=True)
class AlignmentOptions:
    """Everything about joining clusters."""

    clusters: ClusterOptions = field(default_factory=ClusterOptions)
    poses: PoseOptions = field(default_factory=PoseOptions)
    fusion: FusionOptions = field(default_factory=FusionOptions)
    identity: IdentityOptions = field(default_factory=IdentityOptions)
    seed: int = 0  # of everything drawn at random
