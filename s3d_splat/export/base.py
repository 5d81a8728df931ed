"""The seam between a trained scene and the files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.export.options import ExportOptions
from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import Camera, Gaussians, InstanceSet, Scene


@dataclass(frozen=True)
class TrainedScene:
    """A trained, possibly edited scene, as every format takes it."""

    scene: Scene
    instances: InstanceSet
    anchor_positions: Float[Tensor, "a 3"]
    decode: Callable[[Camera], Gaussians]  # all Gaussians as seen from a camera, k an anchor
    rasterizer: Rasterizer
    view_dependent_opacity: bool = False


@runtime_checkable
class Exporter(Protocol):
    """Writes a scene in one format."""

    def __call__(self, trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
        """Write to `out`, a file or a folder that does not exist yet, as the format has it.

        Args:
            advance: is told how much of the long work is done: (done, total).

        Returns:
            What the user is told: counts, figures, and under `notes` a list of sentences about what the format cannot hold.

        Raises:
            S3DError: the scene has nothing that the format could hold, an id is unknown, or a package is missing.
        """
