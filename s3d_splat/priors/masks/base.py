"""The seam between a capture and whatever knows or guesses which pixels belong together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.types import Capture, Frame, Observation, PosedCluster

Load = Callable[[Frame], Observation]
"""Reads the pixels of a frame, undistorted; `s3d_splat.io.observations.load_observation`."""
Save = Callable[[Path, Tensor], None]
"""Writes ids [h w] as a 16-bit PNG; `s3d_splat.io.results.write_id_png`."""


@runtime_checkable
class MaskPrior(Protocol):
    """Gives the frames of a cluster masks, and the cluster a table of their ids; all else is handed on untouched."""

    name: str
    title: str  # what a report calls it

    def check(self, capture: Capture) -> None:
        """Look, before any long work, whether this prior can work on the capture; reads no pixels.

        Raises:
            S3DError: it cannot.
        """

    def segment(
        self, cluster: PosedCluster, work: Path, load: Load, save: Save, advance: Advance | None = None
    ) -> PosedCluster:
        """The cluster with `instance_path` in its frames and a table of ids; the masks lie behind the frames' lenses.

        Args:
            work: a folder of this cluster's own, for masks that are written.
            advance: called with (frames done, frames in all).

        Raises:
            S3DError: an image cannot be read, or a mask cannot be written.
        """
