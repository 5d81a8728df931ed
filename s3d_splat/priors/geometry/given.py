"""Poses, intrinsics and depth as the capture brings them."""

from __future__ import annotations

from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.frames import frame_of
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Frame, PosedCluster

_FIX = "complete the capture, or let structure from motion find them: `--geometry colmap`"


class GivenGeometry:
    """Takes the poses of the capture as they are, in their own gauge and unit; reads no file."""

    name = "given"

    def check(self, capture: Capture) -> None:
        """Every view needs a pose and intrinsics. Raises S3DError naming the first one without."""
        for number, cluster in enumerate(capture.clusters):
            for view in cluster.views:
                _posed(view, where=f"{capture.root}, cluster {number}: ")

    def pose(self, cluster: CaptureCluster, work: Path, load: Load, advance: Advance | None = None) -> PosedCluster:
        """All views as frames, untouched.

        Raises:
            S3DError: a view has no pose or no intrinsics.
        """
        return PosedCluster(frames=tuple(_posed(view) for view in cluster.views), instances=cluster.instances)


def _posed(view: CaptureView, where: str = "") -> Frame:
    if view.T_cluster_camera is None:
        raise S3DError(f"{where}image {view.name} has no pose", why="the prior 'given' takes every pose as it is", fix=_FIX)
    if view.lens is None:
        raise S3DError(
            f"{where}image {view.name} has no intrinsics",
            why="a pose says nothing without focal lengths and principal point",
            fix=_FIX,
        )
    return frame_of(view, view.lens, view.T_cluster_camera)
