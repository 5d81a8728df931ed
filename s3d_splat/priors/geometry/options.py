"""What a user can choose about poses; free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

GeometryChoice = Literal["auto", "given", "colmap"]


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
class GeometryOptions:
    """Where the poses of the images come from."""

    prior: GeometryChoice = "auto"  # auto: given where every image has a pose, else colmap
    colmap: ColmapOptions = field(default_factory=ColmapOptions)
