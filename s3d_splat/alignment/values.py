"""What the stages of alignment hand on: every image with all that the clusters say of it, in one world."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from s3d_splat.types import Camera, Frame, SparseDepth


@dataclass(frozen=True)
class Source:
    """What one cluster says of an image, brought into the world."""

    cluster: int
    frame: Frame  # world pose; `depth_scale` is world units for one count; ids of its masks mean nothing outside the cluster
    sparse: SparseDepth | None = None  # depth in world units


@dataclass(frozen=True)
class WorldFrame:
    """One image of the capture: its camera in the world, and its sources, the most trusted first."""

    name: str  # file name in the scene folder
    index: int  # place in the order of time
    camera: Camera
    sources: tuple[Source, ...]

    @property
    def is_test(self) -> bool:
        """Whether the image is left out of training: it is posed and its masks get ids, and nothing else rests on it."""
        return self.sources[0].frame.split == "test"


@dataclass(frozen=True)
class Edge:
    """A measured Sim(3) between two clusters, and what became of it."""

    kind: str  # "overlap": images that both clusters hold; "loop": different images of one place
    first: int  # clusters
    second: int
    T_first_second: Float[Tensor, "4 4"]  # maps points of the second gauge into the first: [s R, t; 0, 1]
    frames: tuple[str, str]  # names of the images that it rests on (the same one for an overlap: the middle one)
    matches: int  # points that agree with it
    residual: float  # median distance of those points after the fit, as a share of their depth
    accepted: bool
    reason: str = ""  # why it was rejected


@dataclass(frozen=True)
class Alignment:
    """The capture in one world."""

    frames: tuple[WorldFrame, ...]  # in the order of time; images without a pose are left out
    T_world_cluster: tuple[Float[Tensor, "4 4"], ...]  # Sim(3) of every cluster
    edges: tuple[Edge, ...]
