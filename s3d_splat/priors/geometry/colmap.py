"""Poses from the images alone, by structure from motion with COLMAP on the CPU."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.frames import frame_of
from s3d_splat.priors.geometry.metric import depth_ratios, metric_scale, scaled_model
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.priors.geometry.sparse_model import SparseModel, read_model, write_model
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Frame, Lens, PosedCluster, ProxyGeometry, SparseDepth

_LOG = logging.getLogger("s3d_splat")
_MIN_IMAGES = 3
_FOCAL_GUESS = 1.2  # of the longer side, where nothing is known (COLMAP's)
_SEARCH_SHARE = 0.9  # of the time; the rest reads depths or colours


class ColmapGeometry:
    """Structure from motion, a cluster at a time.

    Known intrinsics are kept; where they are unknown, all images of one size share a camera with one focal length and one
    radial term, which is estimated. Depth images give the model its unit. Images that do not register are left out, and the
    log says how many.
    """

    name = "colmap"

    def __init__(self, options: ColmapOptions) -> None:
        self._options = options

    def check(self, capture: Capture) -> None:
        """pycolmap must be installed, and every cluster needs three images. Raises S3DError."""
        if importlib.util.find_spec("pycolmap") is None:
            raise S3DError(
                "structure from motion is not available",
                why="the package pycolmap is not installed",
                fix="pip install 's3d-splat[colmap]', or give poses with the capture",
            )
        for number, cluster in enumerate(capture.clusters):
            _enough(cluster, f"{capture.root}, cluster {number}")

    def pose(self, cluster: CaptureCluster, work: Path, load: Load, advance: Advance | None = None) -> PosedCluster:
        """Cameras of the largest model, in its gauge: the unit of the depth images, else one of no meaning.

        Where a posed image has no depth, the result carries the model's coloured points and `sparse` depths. The finished
        model is kept as `work/structure.npz`; a call with the same images and options takes it from there.

        Raises:
            S3DError: fewer than three images fit together, an image cannot be read, or the depth images are empty.
        """
        where = _enough(cluster, f"the {len(cluster.views)} images from {_first(cluster)}")
        steps = _Steps(advance, 10 * len(cluster.views))
        made_from = _fingerprint(cluster.views, self._options)
        model = read_model(work / "structure.npz", made_from)
        if model is None:
            model = self._search(cluster.views, work, load, steps)
            write_model(work / "structure.npz", model, made_from)
        _report_left_out(cluster.views, model, where)
        return _posed(cluster, model, load, steps, where)

    def _search(self, views: Sequence[CaptureView], work: Path, load: Load, steps: _Steps) -> SparseModel:
        from s3d_splat.priors.geometry.mapping import map_images

        seen = [_searched(view) for view in views]
        folder = work / ".partial-structure"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            cameras, is_known = _cameras(views, seen), [view.lens is not None for view in views]
            model = map_images(
                folder,
                cameras,
                is_known,
                lambda index: load(seen[index]).image.numpy(),
                self._options,
                lambda share: steps.at(_SEARCH_SHARE * share),
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if model is None or model.is_posed.sum() < _MIN_IMAGES:
            raise S3DError(
                f"structure from motion found no common view in {len(views)} images ({views[0].name} to {views[-1].name})",
                why="neighbouring images must show the same textured things from different places, sharp and not black",
                fix="leave out blurred, black or blank images, take more images in between, or give poses with the capture",
            )
        return model


class _Steps:
    """Progress as whole steps."""

    def __init__(self, advance: Advance | None, total: int) -> None:
        self._advance, self._total = advance, total

    def at(self, share: float) -> None:
        if self._advance is not None:
            self._advance(min(self._total, int(share * self._total)), self._total)


def _first(cluster: CaptureCluster) -> str:
    return f"{cluster.views[0].name} to {cluster.views[-1].name}" if cluster.views else "an empty cluster"


def _enough(cluster: CaptureCluster, where: str) -> str:
    if len(cluster.views) < _MIN_IMAGES:
        raise S3DError(
            f"{where}: {len(cluster.views)} images are too few for structure from motion",
            why="poses follow from seeing the same points from several places",
            fix=f"give at least {_MIN_IMAGES} images (20 or more are better), or poses with the capture",
        )
    return where


def _fingerprint(views: Sequence[CaptureView], options: ColmapOptions) -> str:
    """A name for everything that the model depends on."""
    text = [repr(options)]
    for view in views:
        status = os.stat(view.image_path)
        text.append(repr((view.name, view.width, view.height, view.lens, status.st_size, status.st_mtime_ns)))
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _searched(view: CaptureView) -> Frame:
    """What is searched for features: the image without its distortion where that is known, else as it is stored."""
    guess = _FOCAL_GUESS * max(view.width, view.height)
    lens = view.lens or Lens(guess, guess, view.width / 2, view.height / 2, 0.0, 0.0, 0.0, 0.0)
    frame = frame_of(view, lens, torch.eye(4, dtype=torch.float64))
    return replace(frame, depth_path=None, instance_path=None, confidence_path=None)


def _cameras(views: Sequence[CaptureView], frames: Sequence[Frame]) -> list[Any]:
    """A pycolmap camera for each view, the same object for views that share it."""
    shared: dict[Any, Any] = {}
    for view, frame in zip(views, frames, strict=True):
        key = (view.lens, view.width, view.height)
        if key not in shared:
            shared[key] = _known_camera(frame) if view.lens is not None else _guessed_camera(view)
    return [shared[view.lens, view.width, view.height] for view in views]


def _known_camera(frame: Frame) -> Any:
    import pycolmap

    camera = frame.camera
    parameters = [camera.fx, camera.fy, camera.cx, camera.cy]
    made = pycolmap.Camera(model="PINHOLE", width=camera.width, height=camera.height, params=parameters)
    made.has_prior_focal_length = True
    return made


def _guessed_camera(view: CaptureView) -> Any:
    """One focal length, from the image's EXIF data if they tell, and one radial term."""
    import pycolmap

    guessed = pycolmap.infer_camera_from_image(view.image_path, pycolmap.ImageReaderOptions(camera_model="SIMPLE_RADIAL"))
    if (guessed.width, guessed.height) == (view.width, view.height):
        return guessed
    parameters = [_FOCAL_GUESS * max(view.width, view.height), view.width / 2, view.height / 2, 0.0]
    return pycolmap.Camera(model="SIMPLE_RADIAL", width=view.width, height=view.height, params=parameters)


def _report_left_out(views: Sequence[CaptureView], model: SparseModel, where: str) -> None:
    left_out = [view.name for view, posed in zip(views, model.is_posed, strict=True) if not posed]
    if left_out:
        _LOG.warning("colmap: %d of %s are left out: %s", len(left_out), where, ", ".join(left_out))


def _posed(cluster: CaptureCluster, model: SparseModel, load: Load, steps: _Steps, where: str) -> PosedCluster:
    """The model as frames, in the unit of the depth images."""
    numbers = np.flatnonzero(model.is_posed).tolist()
    frames = [_frame(cluster.views[number], model, number) for number in numbers]
    ratios: list[np.ndarray] = []
    colours = np.zeros((len(model.points), 4))  # sums of red, green and blue, and the number of observations
    has_depth = [frame.depth_path is not None for frame in frames]
    for done, (number, frame) in enumerate(zip(numbers, frames, strict=True)):
        steps.at(_SEARCH_SHARE + (1 - _SEARCH_SHARE) * done / len(frames))
        rows = np.flatnonzero(model.view == number)
        pixels, along_z = _pixels(model, rows, frame), _along_z(model, rows, number)
        seen = load(replace(frame, instance_path=None))
        if seen.depth is not None:
            ratios.append(depth_ratios(seen.depth.numpy().astype(np.float64), pixels, along_z))
        if not all(has_depth):
            np.add.at(colours, model.point[rows], _colours(seen.image.numpy(), pixels))
    steps.at(1.0)
    if any(has_depth):
        model = scaled_model(model, metric_scale(np.concatenate(ratios), where))
        frames = [_frame(cluster.views[number], model, number) for number in numbers]
    if all(has_depth):
        return PosedCluster(frames=tuple(frames), instances=cluster.instances)
    means = colours[:, :3] / np.maximum(colours[:, 3:], 1) / 255
    points = ProxyGeometry(torch.from_numpy(model.points).float(), torch.from_numpy(means).float())
    sparse = tuple(_sparse(model, number, frame) for number, frame in zip(numbers, frames, strict=True))
    return PosedCluster(frames=tuple(frames), instances=cluster.instances, points=points, sparse=sparse)


def _frame(view: CaptureView, model: SparseModel, number: int) -> Frame:
    fx, fy, cx, cy, k1 = model.lens[number].tolist()
    lens = view.lens or Lens(fx, fy, cx, cy, k1, 0.0, 0.0, 0.0)
    return frame_of(view, lens, torch.from_numpy(model.T_model_camera[number].copy()))


def _pixels(model: SparseModel, rows: np.ndarray, frame: Frame) -> np.ndarray:
    """Where the observations of a frame lie in its undistorted image."""
    camera = frame.camera
    return model.direction[rows] * [camera.fx, camera.fy] + [camera.cx, camera.cy]


def _along_z(model: SparseModel, rows: np.ndarray, number: int) -> np.ndarray:
    pose = model.T_model_camera[number]
    return (model.points[model.point[rows]] - pose[:3, 3]) @ pose[:3, 2]


def _colours(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The colour under each observation and a one; zeros where undistortion has cut the pixel off."""
    column, row = np.floor(pixels).astype(np.int64).T
    inside = (column >= 0) & (column < image.shape[1]) & (row >= 0) & (row < image.shape[0])
    found = np.zeros((len(pixels), 4))
    found[inside, :3] = image[row[inside], column[inside]]
    found[inside, 3] = 1
    return found


def _sparse(model: SparseModel, number: int, frame: Frame) -> SparseDepth:
    rows = np.flatnonzero(model.view == number)
    return SparseDepth(
        pixels=torch.from_numpy(_pixels(model, rows, frame)).float(),
        depth=torch.from_numpy(_along_z(model, rows, number)).float(),
        point=torch.from_numpy(model.point[rows]),
    )
