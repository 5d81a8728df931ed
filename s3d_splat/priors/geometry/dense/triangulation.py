"""Points that the images of a cluster have in common, where its poses came without any."""

from __future__ import annotations

import importlib.util
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.types import Frame, PosedCluster

_LOG = logging.getLogger("s3d_splat")
_FEWEST = 30  # points that an image sees, on average: poses in wrong axes have about 20, by chance


def can_triangulate() -> bool:
    """Whether what finds the points is installed."""
    return importlib.util.find_spec("pycolmap") is not None


def triangulated(
    cluster: PosedCluster, work: Path, load: Load, options: ColmapOptions, advance: Advance | None = None
) -> PosedCluster:
    """The cluster with points and sparse depths from features that its images have in common; the poses stay.

    Args:
        work: a folder of this cluster's own, for the time of the call.
        advance: called with (done, total) while it works.

    Raises:
        S3DError: hardly any features meet in a point, or an image cannot be read.
    """
    from s3d_splat.priors.geometry.cameras import sighting
    from s3d_splat.priors.geometry.mapping import triangulate_images
    from s3d_splat.priors.geometry.readout import with_points

    frames, total = cluster.frames, len(cluster.frames)
    folder = work / ".partial-points"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        model = triangulate_images(
            folder,
            _cameras(frames),
            torch.stack([frame.camera.T_world_camera.double() for frame in frames]).numpy(),
            lambda index: sighting(replace(frames[index], instance_path=None), load),
            options,
            lambda share: None if advance is None else advance(int(share * total), total),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if len(model.view) < _FEWEST * total:
        raise S3DError(
            f"the {total} images from {frames[0].file_path} have {len(model.points)} points in common under their poses",
            why="features that look the same must lie on rays that meet; with poses in wrong axes, or of images without"
            " texture, they do not",
            fix="check the axes of the poses, or let them be found with the points (--geometry colmap); a capture that"
            " has points of its own goes without depth with --dense.no-enabled",
        )
    _LOG.info("points: %d, seen %d times by %d images", len(model.points), len(model.view), total)
    return with_points(cluster, model, load)


def _cameras(frames: Sequence[Frame]) -> list[Any]:
    """A pycolmap.Camera for each frame, the same object for equal ones."""
    from s3d_splat.priors.geometry.cameras import known_camera

    shared: dict[object, Any] = {}
    cameras = []
    for frame in frames:
        camera = frame.camera
        key = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        cameras.append(shared.setdefault(key, known_camera(frame)))
    return cameras
