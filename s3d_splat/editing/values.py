"""What goes into an edit and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from s3d_splat.raster.base import Rasterizer
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Camera, InstanceSet


@dataclass(frozen=True)
class EditableScene:
    """A field and its objects. An edit makes another one and shares with it what it leaves as it is.

    Anchors keep their rows, whatever is done to them: what is removed stays as a row of opacity 0 and instance 0, and new
    anchors come last.
    """

    field: AnchorField
    instances: InstanceSet


@dataclass(frozen=True)
class Surroundings:
    """From where a scene is looked at: training cameras, to weigh what is seen of which Gaussian."""

    cameras: tuple[Camera, ...]
    rasterizer: Rasterizer


@dataclass(frozen=True)
class EditResult:
    """The scene after one operation."""

    scene: EditableScene
    changed: Int[Tensor, " m"]  # Gaussians (anchor * k + child) of other objects that went with what was removed
    summary: str  # one line for people
    moved_to: tuple[int, ...] = ()  # ids of copies, in the order of what they are copies of
