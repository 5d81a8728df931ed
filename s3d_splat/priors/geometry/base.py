"""The seam between a capture and whatever knows or finds out where its images were taken from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from s3d_splat.console import Advance
from s3d_splat.types import Capture, CaptureCluster, Frame, Observation, PosedCluster

Load = Callable[[Frame], Observation]
"""Reads the pixels of a frame, undistorted; `s3d_splat.io.observations.load_observation`."""


@runtime_checkable
class GeometryPrior(Protocol):
    """Gives the images of a cluster cameras in one gauge. Masks and the table of ids are handed on untouched."""

    name: str

    def check(self, capture: Capture) -> None:
        """Look, before any long work, whether this prior can work on the capture; reads no pixels.

        Raises:
            S3DError: it cannot; the message names the first image that stands in the way.
        """

    def pose(self, cluster: CaptureCluster, work: Path, load: Load, advance: Advance | None = None) -> PosedCluster:
        """The cluster with a camera for every image that could be posed, in the order of the views.

        Args:
            work: a folder of this cluster's own, where results are kept for the next call.
            advance: called with (done, total) while it works.

        Raises:
            S3DError: the images cannot be posed, or one of them cannot be read.
        """
