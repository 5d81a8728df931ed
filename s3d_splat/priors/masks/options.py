"""What a user can choose about masks; free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MaskChoice = Literal["auto", "given", "felzenszwalb"]


@dataclass(frozen=True)
class FelzenszwalbOptions:
    """Regions of even colour (and depth); nothing is learned."""

    scale: float = 1.0  # larger: larger regions; 1 suits rooms at any image size
    smallest: float = 0.003  # share of the image: smaller regions join a neighbour
    depth_weight: float = 1.0  # contrast of a step of depth, where black to white is about 1; 0: colours alone
    threads: int = 2


@dataclass(frozen=True)
class MaskOptions:
    """Where the masks of the images come from."""

    prior: MaskChoice = "auto"  # auto: given where at least one image has masks, else felzenszwalb
    felzenszwalb: FelzenszwalbOptions = field(default_factory=FelzenszwalbOptions)
