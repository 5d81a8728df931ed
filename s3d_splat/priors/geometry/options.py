"""What a user can choose about poses; free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

GeometryChoice = Literal["auto", "given", "colmap", "depth_anything3"]


@dataclass(frozen=True)
class ColmapOptions:
    """Structure from motion with COLMAP on the CPU."""

    max_image_size: int = 1200  # pixels: features are sought in a copy of which the longer side is at most this
    max_features: int = 2500  # of one image
    exhaustive_up_to: int = 40  # images: in smaller clusters every image is matched with every other one
    overlap: int = 6  # in larger ones, with this many that follow ...
    similar: int = 8  # ... and with this many others that look alike
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True)
class DenseOptions:
    """Depth from the images of a cluster without depth images, by a plane sweep over neighbouring views."""

    enabled: bool = True  # without it the points of structure from motion are all the geometry there is
    max_image_size: int = 640  # pixels: depth is sought in a copy of which the longer side is at most this
    sweep_size: int = 320  # pixels: the same for the search over all planes; the rest is refined from there
    planes: int = 64  # at most, over the range of depths of a view
    neighbours: int = 8  # other views that a view is compared with, at most
    least_agreeing: int = 2  # of them that must have the same surface, for a pixel to get a depth
    threads: int = 2


@dataclass(frozen=True)
class DepthAnything3Options:
    """Cameras and depth from a network that sees the images of a cluster together."""

    model: str = "depth-anything/DA3-BASE"  # on the hub; larger ones (DA3-LARGE-1.1, DA3-GIANT-1.1) are non-commercial
    weights: Path | None = None  # folder with a copy of the model's files; None: from the hub
    image_size: int = 504  # pixels: the longer side of what the network sees
    drop: float = 0.1  # share of a cluster's pixels, the least sure ones, that get no depth


@dataclass(frozen=True)
class GeometryOptions:
    """Where the poses of the images come from; every prior finds its options under its own name."""

    prior: GeometryChoice = "auto"  # auto: given where every image has a pose, else colmap
    colmap: ColmapOptions = field(default_factory=ColmapOptions)
    depth_anything3: DepthAnything3Options = field(default_factory=DepthAnything3Options)
    accept_licence: tuple[str, ...] = ()  # licences of weights that forbid commercial use and are accepted
