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
class GeometryOptions:
    """Where the poses of the images come from."""

    prior: GeometryChoice = "auto"  # auto: given where every image has a pose, else colmap
    colmap: ColmapOptions = field(default_factory=ColmapOptions)
