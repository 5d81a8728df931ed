"""What can be chosen about the field; plain values, so that a command line can show them without loading torch."""

from dataclasses import dataclass, field
from typing import Literal

FeatureOwner = Literal["anchor", "gaussian"]


@dataclass(frozen=True)
class GrowthOptions:
    """When anchors are added and removed (the rule of Scaffold-GS)."""

    interval: int = 100  # steps between two growths
    gradient_threshold: float = 5e-5  # mean screen-space gradient, in units of half the image's longer side
    levels: int = 3  # grids on which new anchors are placed, coarse to fine
    level_factor: int = 2  # each grid is this much finer than the one before
    coarsest_factor: int = 1  # cell of the coarsest grid, in anchor voxels
    min_opacity: float = 0.005  # an anchor whose children stay under this mean opacity is removed
    min_visits: int = 10  # steps of the interval in which an anchor or child must have been seen before it is judged
    max_anchors: int = 24_000  # growth stops here


@dataclass(frozen=True)
class ScaffoldOptions:
    """Sizes of the field and how it starts."""

    children: int = 5  # Gaussians an anchor decodes (k)
    embedding: int = 32  # numbers that describe an anchor's looks
    hidden: int = 32  # width of the heads' hidden layer
    features: int = 6  # length of an instance feature
    feature_per: FeatureOwner = "anchor"  # what has an instance feature of its own; an anchor's is shared by its Gaussians
    anchors: int = 14_000  # anchors to start with, at most; fewer proxy points give fewer
    opacity: float = 0.6  # of every Gaussian at the start
    view_dependent_opacity: bool = False  # the paper's choice; labels and exports want it off
    appearance: int = 0  # length of a per-image appearance code, 0 = none (test views and exports use the mean code)
    growth: GrowthOptions = field(default_factory=GrowthOptions)
