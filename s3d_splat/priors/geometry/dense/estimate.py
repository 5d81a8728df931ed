"""The depth of one view: planes first, then maps that follow the surfaces found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from s3d_splat.priors.geometry.dense.semi_global import aggregated, lowest
from s3d_splat.priors.geometry.dense.sweep import SeenView, Transfer, likeness
from s3d_splat.priors.geometry.options import DenseOptions

_STEP, _JUMP = 0.5, 4.0  # of semi-global matching, in likenesses, for eight paths
_REFINED = (1.0, 0.4)  # planes: reach of the hypotheses to either side of the surface, in each refinement
_HYPOTHESES = 9  # of a refinement
_REFINED_STEP, _REFINED_JUMP = 0.05, 0.5


@dataclass(frozen=True)
class DepthRange:
    """Between which depths (along z, units of the gauge) the surfaces of a view lie."""

    nearest: float
    farthest: float


@dataclass(frozen=True)
class Estimate:
    """Depth of every pixel of a view (along z), and how much the neighbours look alike there (-1..1)."""

    depth: Float32[np.ndarray, "h w"]
    likeness: Float32[np.ndarray, "h w"]


def estimate(view: SeenView, others: Sequence[SeenView], within: DepthRange, options: DenseOptions) -> Estimate:
    """The depth at which the view and its neighbours look most alike.

    Args:
        within: where to look.
    """
    coarse, coarse_others = view.shrunk(options.sweep_size), [other.shrunk(options.sweep_size) for other in others]
    planes = _planes(coarse, coarse_others, within, options)
    cost = 1 - likeness(coarse, coarse_others, planes.tolist())
    place = lowest(aggregated(cost, coarse.grey, _STEP, _JUMP))
    spacing = float(planes[1] - planes[0])
    inverse = cv2.medianBlur((planes[0] + place * spacing).astype(np.float32), 5)
    inverse = cv2.resize(inverse, view.grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    alike = np.zeros_like(inverse)
    farthest, nearest = float(planes[0]), float(planes[-1])
    for reach in _REFINED:
        inverse, alike = _refined(view, others, inverse.clip(farthest, nearest), reach * spacing)
    return Estimate(1 / inverse.clip(farthest, nearest), alike)


def _planes(view: SeenView, others: Sequence[SeenView], within: DepthRange, options: DenseOptions) -> np.ndarray:
    """Inverse depths, evenly spaced, and so dense that the median neighbour sees a pixel's place move by about a pixel."""
    first, last = 1 / within.farthest, 1 / within.nearest
    moves = []
    for other in others:
        transfer = Transfer.between(view.camera, other.camera)
        far, near = transfer.pixels(first), transfer.pixels(last)
        seen = (far[2] > 1e-6) & (near[2] > 1e-6)
        moves.append(float(np.median(np.hypot(far[0] - near[0], far[1] - near[1])[seen])) if seen.any() else 0.0)
    count = int(np.clip(np.ceil(np.median(moves)), 16, options.planes))
    return np.linspace(first, last, count)


def _refined(view: SeenView, others: Sequence[SeenView], inverse: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Better inverse depths within a reach of the given ones, and how much the views look alike there."""
    offsets = np.linspace(-reach, reach, _HYPOTHESES, dtype=np.float32)
    surface = cv2.medianBlur(inverse, 3)
    alike = likeness(view, others, [surface + offset for offset in offsets])
    place = lowest(aggregated(1 - alike, view.grey, _REFINED_STEP, _REFINED_JUMP))
    nearest = np.rint(place).astype(np.int64)[None]
    return surface - reach + place * (2 * reach / (_HYPOTHESES - 1)), np.take_along_axis(alike, nearest, axis=0)[0]
