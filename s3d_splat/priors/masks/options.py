"""What a user can choose about masks; free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MaskChoice = Literal["auto", "given", "felzenszwalb", "sam2", "sam3", "mask2former", "eomt"]


@dataclass(frozen=True)
class FelzenszwalbOptions:
    """Regions of even colour (and depth); nothing is learned."""

    scale: float = 1.0  # larger: larger regions; 1 suits rooms at any image size
    smallest: float = 0.003  # share of the image: smaller regions join a neighbour
    depth_weight: float = 1.0  # contrast of a step of depth, where black to white is about 1; 0: colours alone
    threads: int = 2


@dataclass(frozen=True)
class ProposalOptions:
    """Which masks of a SAM become objects when nobody says what to look for."""

    points: int = 32  # on each side of the grid of points that are asked
    batch: int = 64  # points that are asked at a time
    quality: float = 0.8  # least IoU with the truth, as the model guesses it
    stability: float = 0.92  # least IoU of a mask with itself at a slightly different threshold
    smallest: float = 0.0005  # share of the image
    uncovered: float = 0.5  # least share of a mask that no known object covers, for it to be a new one
    parts: bool = False  # small masks before large ones: drawers instead of the cupboard


@dataclass(frozen=True)
class TrackOptions:
    """How objects are followed, and how much of that is in memory."""

    chunk: int = 64  # frames: the state of a chunk is forgotten after it, the objects in its last frame are not
    objects: int = 96  # followed at a time, at most
    every: int = 8  # frames: how often new objects are looked for


@dataclass(frozen=True)
class Sam2Options:
    """Everything that SAM 2 sees, followed through a cluster."""

    model: str = "facebook/sam2.1-hiera-small"  # on the hub; -tiny, -base-plus and -large are others
    weights: Path | None = None  # folder with a copy of the model's files; None: from the hub
    propose: ProposalOptions = field(default_factory=ProposalOptions)
    track: TrackOptions = field(default_factory=TrackOptions)


@dataclass(frozen=True)
class Sam3Options:
    """What words name, or everything that SAM 3 sees, followed through a cluster."""

    prompts: tuple[str, ...] = ()  # such as: chair table "floor lamp"; none: everything, without classes
    model: str = "facebook/sam3"  # on the hub, where its publisher asks for consent
    weights: Path | None = None  # folder with a copy of the model's files; None: from the hub
    propose: ProposalOptions = field(default_factory=ProposalOptions)  # without prompts
    track: TrackOptions = field(default_factory=TrackOptions)


@dataclass(frozen=True)
class PanopticOptions:
    """Things and stuff with classes, one image at a time."""

    model: str  # on the hub, for panoptic segmentation
    weights: Path | None = None  # folder with a copy of the model's files; None: from the hub
    score: float = 0.5  # least, of a segment


@dataclass(frozen=True)
class Mask2FormerOptions(PanopticOptions):
    """Mask2Former."""

    model: str = "facebook/mask2former-swin-large-coco-panoptic"  # on the hub, for panoptic segmentation


@dataclass(frozen=True)
class EomtOptions(PanopticOptions):
    """EoMT, the encoder-only mask transformer."""

    model: str = "tue-mps/coco_panoptic_eomt_large_640"  # on the hub, for panoptic segmentation


@dataclass(frozen=True)
class MaskOptions:
    """Where the masks of the images come from; every prior finds its options under its own name."""

    prior: MaskChoice = "auto"  # auto: given where at least one image has masks, else felzenszwalb
    felzenszwalb: FelzenszwalbOptions = field(default_factory=FelzenszwalbOptions)
    sam2: Sam2Options = field(default_factory=Sam2Options)
    sam3: Sam3Options = field(default_factory=Sam3Options)
    mask2former: Mask2FormerOptions = field(default_factory=Mask2FormerOptions)
    eomt: EomtOptions = field(default_factory=EomtOptions)
    accept_licence: tuple[str, ...] = ()  # licences of weights that forbid commercial use and are accepted
