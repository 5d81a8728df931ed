"""Depth Anything 3: cameras, depth and its confidence for all images of a cluster, from the images alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.dense.depth_files import with_depth
from s3d_splat.priors.geometry.frames import frame_of
from s3d_splat.priors.geometry.learned.depth_anything import PATCH, find_network, load_network, prepared
from s3d_splat.priors.geometry.learned.prediction import Fit, Prediction, fits
from s3d_splat.priors.geometry.metric import metric_scale
from s3d_splat.priors.geometry.options import DepthAnything3Options
from s3d_splat.priors.weights import release
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Frame, Lens, PosedCluster

Value = TypeVar("Value")
_APART = 8  # pixels between those in which measured and predicted depth are compared


class DepthAnything3Geometry:
    """A cluster goes through the network in one piece, so that its size bounds the memory; clusters are joined afterwards.

    Every image gets the focal lengths that go with its depth, also where others are known: depth, poses and focal lengths
    fit each other. A known distortion is undone first. Measured depth is kept, and gives the cluster its unit.
    """

    name = "depth_anything3"

    def __init__(self, options: DepthAnything3Options, accepted: Sequence[str] = ()) -> None:
        """`accepted`: names of licences that the user has accepted."""
        self._options, self._accepted = options, tuple(accepted)

    def check(self, capture: Capture) -> None:
        """The package and the weights must be here or to be had, and every cluster needs two images. Raises S3DError."""
        for number, cluster in enumerate(capture.clusters):
            if len(cluster.views) < 2:
                raise S3DError(
                    f"{capture.root}, cluster {number}: {len(cluster.views)} images are too few",
                    why="poses say how images lie to each other",
                    fix="take more images",
                )
        find_network(self._options, self._accepted)

    def pose(self, cluster: CaptureCluster, work: Path, load: Load, advance: Advance | None = None) -> PosedCluster:
        """Every image with a camera and a depth image: the capture's own, or `work/depth` and `work/confidence`.

        The network is loaded for the call and released after it.

        Raises:
            S3DError: the weights do not fit, an image cannot be read, the images do not fit into memory, or the measured
                depth is empty.
        """
        plain = [_undistorted(view) for view in cluster.views]
        ways, size = fits([(view.width, view.height) for view in cluster.views], self._options.image_size, PATCH)
        steps = _Steps(advance, 2 * len(plain) + 1)
        images = np.stack([steps.after(_seen(frame, load, way, size)) for frame, way in zip(plain, ways, strict=True)])
        try:
            network = load_network(*find_network(self._options, self._accepted))
            said = steps.after(network(images))
            del network
        finally:
            release()
        where = f"the {len(plain)} images from {cluster.views[0].name}"
        said = _in_unit_of(said, _ratios(cluster.views, plain, ways, said, load), where)
        least = float(np.quantile(said.confidence, self._options.drop))
        frames = []
        for number, (view, way) in enumerate(zip(cluster.views, ways, strict=True)):
            frame = _frame(view, way, said, number)
            if view.depth_path is None:
                frame = _with_depth(frame, way, said, number, least, work)
            frames.append(steps.after(frame))
        return PosedCluster(frames=tuple(frames), instances=cluster.instances)


class _Steps:
    """Progress, one step for each thing that is done."""

    def __init__(self, advance: Advance | None, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def after(self, value: Value) -> Value:
        self._done += 1
        if self._advance is not None:
            self._advance(self._done, self._total)
        return value


def _undistorted(view: CaptureView) -> Frame:
    """The image without its distortion where that is known, else as it is stored; its camera means nothing yet."""
    lens = view.lens or Lens(1.0, 1.0, view.width / 2, view.height / 2, 0.0, 0.0, 0.0, 0.0)
    return replace(frame_of(view, lens, torch.eye(4, dtype=torch.float64)), instance_path=None, confidence_path=None)


def _seen(frame: Frame, load: Load, way: Fit, size: tuple[int, int]) -> Float32[np.ndarray, "3 h w"]:
    image = load(replace(frame, depth_path=None)).image.numpy()
    how = cv2.INTER_AREA if way.width <= image.shape[1] else cv2.INTER_CUBIC
    scaled = cv2.resize(image, (way.width, way.height), interpolation=how)
    cut = scaled[way.top : way.top + size[1], way.left : way.left + size[0]]
    return prepared(cut.astype(np.float32) / np.float32(255))


def _ratios(
    views: Sequence[CaptureView], plain: Sequence[Frame], ways: Sequence[Fit], said: Prediction, load: Load
) -> list[Float[np.ndarray, " r"]]:
    """Measured over predicted depth, for the views with a depth image, on a coarse grid."""
    found = []
    for number, (view, frame, way) in enumerate(zip(views, plain, ways, strict=True)):
        if view.depth_path is None:
            continue
        measured = load(frame).depth
        assert measured is not None
        predicted = cv2.resize(way.whole(said.depth[number]), (view.width, view.height), interpolation=cv2.INTER_NEAREST)
        known, guessed = (depth[::_APART, ::_APART].astype(np.float64) for depth in (measured.numpy(), predicted))
        both = (known > 0) & (guessed > 0)
        found.append(known[both] / guessed[both])
    return found


def _in_unit_of(said: Prediction, ratios: Sequence[Float[np.ndarray, " r"]], where: str) -> Prediction:
    """The prediction in the unit of the measured depth, where there is any."""
    if not ratios:
        return said
    factor = metric_scale(np.concatenate(ratios), where)
    poses = said.T_camera_cluster.copy()
    poses[:, :3, 3] *= factor
    return replace(said, depth=said.depth * np.float32(factor), T_camera_cluster=poses)


def _frame(view: CaptureView, way: Fit, said: Prediction, number: int) -> Frame:
    fx, fy, cx, cy = way.camera(said.intrinsics[number], view.width, view.height)
    rotation, shift = said.T_camera_cluster[number, :3, :3], said.T_camera_cluster[number, :3, 3]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ shift
    frame = frame_of(view, view.lens or Lens(fx, fy, cx, cy, 0.0, 0.0, 0.0, 0.0), torch.from_numpy(pose))
    return replace(frame, camera=replace(frame.camera, fx=fx, fy=fy, cx=cx, cy=cy))


def _with_depth(frame: Frame, way: Fit, said: Prediction, number: int, least: float, work: Path) -> Frame:
    """With the depth that the network is sure enough of."""
    confidence = way.whole(said.confidence[number])
    depth = np.where(confidence >= least, way.whole(said.depth[number]), np.float32(0))
    return with_depth(frame, work, depth, confidence, _write_png)


def _write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image):
        raise S3DError(
            f"{path} cannot be written", why="the depth of an image goes there", fix="check the disk and its space"
        )
