"""The unit of a model from images alone: that of the depth images, where there are some."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.sparse_model import SparseModel

_LOG = logging.getLogger("s3d_splat")
_MIN_RATIOS = 20  # points that must be seen by a depth image, in all views together
_AROUND = np.arange(-2, 3)  # pixels
_SMOOTH = 0.05  # of the depth: how far it may vary around a point
_WIDE_SPREAD = 0.1  # of the logarithms of the ratios: depth and structure tell different stories


def depth_ratios(
    depth: Float[np.ndarray, "h w"], pixels: Float[np.ndarray, "o 2"], along_z: Float[np.ndarray, " o"]
) -> Float[np.ndarray, " r"]:
    """Measured depth over the model's depth, for the points whose pixel lies on a smooth piece of surface, mostly known.

    Features gather at the borders of objects, where the depth image may show what is in front or what is behind.

    Args:
        depth: 0 = none.
        pixels: x, y of the points, pixel centres at +0.5.
        along_z: the points' depth in the model's unit.
    """
    height, width = depth.shape
    column, row = np.floor(pixels).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (along_z > 0)
    around = (
        (row[inside, None, None] + _AROUND[:, None]).clip(0, height - 1),
        (column[inside, None, None] + _AROUND).clip(0, width - 1),
    )
    patches = depth[around].reshape(-1, len(_AROUND) ** 2)
    known = patches > 0  # depth that was warped into the colour image has holes everywhere
    enough = 2 * known.sum(axis=1) > known.shape[1]
    patches, known = patches[enough], known[enough]
    lowest, highest = np.where(known, patches, np.inf).min(axis=1), patches.max(axis=1)
    is_smooth = highest - lowest < _SMOOTH * highest
    middle = np.ma.median(np.ma.array(patches, mask=~known), axis=1).filled(0.0)
    return np.asarray((middle / along_z[inside][enough])[is_smooth])


def metric_scale(ratios: Float[np.ndarray, " r"], where: str) -> float:
    """The factor from the model's unit to the depth's: the median ratio, which steps of depth and false points leave alone.

    Raises:
        S3DError: hardly any point of the model has a depth.
    """
    if len(ratios) < _MIN_RATIOS:
        raise S3DError(
            f"{where}: {len(ratios)} points of the model have a depth",
            why="the model from images has no unit of its own; depth gives it one, but is empty where the points are",
            fix="check that the depth images belong to the colour images and are not blank, or leave them out",
        )
    logarithms = np.log(ratios)
    middle = np.median(logarithms)
    spread = 1.4826 * float(np.median(np.abs(logarithms - middle)))  # a standard deviation, if they are normal
    if spread > _WIDE_SPREAD:
        _LOG.warning(
            "%s: depth images and structure from motion differ by %.0f %%; is the depth registered into colour?",
            where,
            100 * spread,
        )
    return float(np.exp(middle))


def scaled_model(model: SparseModel, factor: float) -> SparseModel:
    """The model in another unit of length."""
    poses = model.T_model_camera.copy()
    poses[:, :3, 3] *= factor
    return replace(model, T_model_camera=poses, points=model.points * factor)
