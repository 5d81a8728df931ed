"""A model from structure from motion as a posed cluster: with a unit, colours and depths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.frames import frame_of
from s3d_splat.priors.geometry.metric import depth_ratios, metric_scale, scaled_model
from s3d_splat.priors.geometry.sparse_model import SparseModel
from s3d_splat.types import CaptureCluster, CaptureView, Frame, Lens, PosedCluster, ProxyGeometry, SparseDepth

_USUAL_DEPTH = 2.0  # metres, about: of rooms and of things on a table


def posed_cluster(
    cluster: CaptureCluster, model: SparseModel, load: Load, report: Callable[[float], None], where: str
) -> PosedCluster:
    """The posed images as frames, in the unit of the depth images, or with a median depth of 2 where there are none.

    Points and sparse depths come along where an image has no depth image.

    Args:
        report: takes the share that is done, 0..1.
        where: names the images in messages.

    Raises:
        S3DError: an image cannot be read, or the depth images are empty where the points are.
    """
    numbers = np.flatnonzero(model.is_posed).tolist()
    frames = [_frame(cluster.views[number], model, number) for number in numbers]
    ratios: list[np.ndarray] = []
    colours = np.zeros((len(model.points), 4))  # sums of red, green and blue, and the number of observations
    has_depth = [frame.depth_path is not None for frame in frames]
    for done, (number, frame) in enumerate(zip(numbers, frames, strict=True)):
        report(done / len(frames))
        rows = np.flatnonzero(model.view == number)
        pixels, along_z = _pixels(model, rows, frame), _along_z(model, rows, number)
        seen = load(replace(frame, instance_path=None))
        if seen.depth is not None:
            ratios.append(depth_ratios(seen.depth.numpy().astype(np.float64), pixels, along_z))
        if not all(has_depth):
            np.add.at(colours, model.point[rows], _colours(seen.image.numpy(), pixels))
    report(1.0)
    factor = metric_scale(np.concatenate(ratios), where) if any(has_depth) else _usual_scale(model)
    model = scaled_model(model, factor)
    frames = [_frame(cluster.views[number], model, number) for number in numbers]
    if all(has_depth):
        return PosedCluster(frames=tuple(frames), instances=cluster.instances)
    sparse = tuple(_sparse(model, number, frame) for number, frame in zip(numbers, frames, strict=True))
    return PosedCluster(tuple(frames), cluster.instances, _cloud(model, colours), sparse)


def with_points(cluster: PosedCluster, model: SparseModel, load: Load) -> PosedCluster:
    """The cluster with the points of a model in its own gauge, and sparse depths of all its frames.

    Args:
        model: whose images are the frames, in their order.

    Raises:
        S3DError: an image cannot be read.
    """
    colours = np.zeros((len(model.points), 4))
    for number, frame in enumerate(cluster.frames):
        rows = np.flatnonzero(model.view == number)
        image = load(replace(frame, instance_path=None)).image.numpy()
        np.add.at(colours, model.point[rows], _colours(image, _pixels(model, rows, frame)))
    sparse = tuple(_sparse(model, number, frame) for number, frame in enumerate(cluster.frames))
    return replace(cluster, points=_cloud(model, colours), sparse=sparse)


def _cloud(model: SparseModel, colours: np.ndarray) -> ProxyGeometry:
    """The points, from sums of red, green and blue (0..255) and the number of observations."""
    means = colours[:, :3] / np.maximum(colours[:, 3:], 1) / 255
    return ProxyGeometry(torch.from_numpy(model.points).float(), torch.from_numpy(means).float())


def _usual_scale(model: SparseModel) -> float:
    """The factor that brings the median depth of a model without a unit to the usual one: depth is kept in millimetres."""
    numbers = np.flatnonzero(model.is_posed).tolist()
    depths = np.concatenate([_along_z(model, np.flatnonzero(model.view == number), number) for number in numbers])
    return _USUAL_DEPTH / float(np.median(depths))


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
