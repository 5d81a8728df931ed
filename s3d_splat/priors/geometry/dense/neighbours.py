"""Which views a view is compared with, and between which depths its surfaces lie: both from points of structure from motion.

Source of the score: Y. Yao et al., "MVSNet: depth inference for unstructured multi-view stereo", ECCV 2018, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.geometry.cameras import is_in_view, project
from s3d_splat.priors.geometry.dense.estimate import DepthRange
from s3d_splat.types import Camera

_BEST_ANGLE = 5.0  # degrees between the rays of two views to a point: less tells little of its depth,
_NARROW, _WIDE = 1.0, 10.0  # more changes what it looks like: standard deviations of the worth of angles below and above
_LEAST_SCORE = 2.0  # points at the best angle
_APART = 0.5  # of the distance to the view: neighbours nearer to each other tell the same, and count less
_OUTER = 0.02  # share of a view's points that may be wrong, at either end of the range
_NEARER = 0.005  # the same for all points that lie before it
_MARGIN = 1.5  # how far surfaces without points may lie beyond those with points


@dataclass(frozen=True)
class Sightings:
    """Which view sees which point."""

    cameras: tuple[Camera, ...]
    points: Float[np.ndarray, "m 3"]
    view: Int[np.ndarray, " o"]
    point: Int[np.ndarray, " o"]
    depth: Float[np.ndarray, " o"]  # along z of the view, units of the gauge

    @property
    def centres(self) -> Float[np.ndarray, "n 3"]:
        """Where the cameras stand."""
        return torch.stack([camera.T_world_camera[:3, 3].double() for camera in self.cameras]).numpy()


@dataclass(frozen=True)
class Surroundings:
    """What a view is compared with, the best neighbours first, and where its surfaces lie."""

    neighbours: tuple[int, ...]
    within: DepthRange


def surroundings(seen: Sightings, allowed: Bool[np.ndarray, " n"], count: int) -> Iterator[Surroundings | None]:
    """For every view in order, its neighbours and range; None where it has no points.

    Args:
        allowed: which views may be neighbours.
        count: of neighbours, at most.
    """
    centres = seen.centres
    by_view, by_point = _Rows(seen.view, len(centres)), _Rows(seen.point, len(seen.points))
    points = torch.from_numpy(seen.points)
    for view, camera in enumerate(seen.cameras):
        rows = by_view.of(view)
        if not len(rows):
            yield None
            continue
        scores = _scores(seen, centres, view, np.concatenate([by_point.of(int(point)) for point in seen.point[rows]]))
        scores[~allowed] = 0
        scores[view] = 0
        yield Surroundings(_chosen(scores, centres, view, count), _range(seen.depth[rows], _depths_before(camera, points)))


class _Rows:
    """The rows of a table by the value of a column."""

    def __init__(self, column: Int[np.ndarray, " o"], count: int) -> None:
        self._order = np.argsort(column, kind="stable")
        self._starts = np.searchsorted(column[self._order], np.arange(count + 1))

    def of(self, value: int) -> Int[np.ndarray, " r"]:
        return self._order[self._starts[value] : self._starts[value + 1]]


def _scores(
    seen: Sightings, centres: Float[np.ndarray, "n 3"], view: int, rows: Int[np.ndarray, " r"]
) -> Float[np.ndarray, " n"]:
    """The worth of all views for one, by the angles under which both see their common points.

    Args:
        rows: all sightings of the points that the one sees.
    """
    here = centres[view] - seen.points[seen.point[rows]]
    there = centres[seen.view[rows]] - seen.points[seen.point[rows]]
    cosine = (here * there).sum(1) / np.maximum(np.linalg.norm(here, axis=1) * np.linalg.norm(there, axis=1), 1e-30)
    beyond = np.degrees(np.arccos(cosine.clip(-1, 1))) - _BEST_ANGLE
    worth = np.exp(-0.5 * (beyond / np.where(beyond < 0, _NARROW, _WIDE)) ** 2)
    return np.bincount(seen.view[rows], weights=worth, minlength=len(centres))


def _chosen(scores: Float[np.ndarray, " n"], centres: Float[np.ndarray, "n 3"], view: int, count: int) -> tuple[int, ...]:
    """One after the other the view of the highest score, which falls near those that are chosen already."""
    away = np.linalg.norm(centres - centres[view], axis=1)
    chosen: list[int] = []
    left = scores.copy()
    while len(chosen) < count and left.max() >= _LEAST_SCORE:
        best = int(left.argmax())
        chosen.append(best)
        left *= np.minimum(1, np.linalg.norm(centres - centres[best], axis=1) / np.maximum(_APART * away, 1e-30))
        left[best] = 0
    return tuple(chosen)


def _depths_before(camera: Camera, points: Float[Tensor, "m 3"]) -> Float[np.ndarray, " r"]:
    """Depths of all points in the picture, whether or not it was them that were found in it."""
    camera = replace(camera, T_world_camera=camera.T_world_camera.double())
    return project(points[is_in_view(points, camera, near=0.0)], camera)[1].numpy()


def _range(own: Float[np.ndarray, " r"], before: Float[np.ndarray, " s"]) -> DepthRange:
    """Of the points found in a view, and nearer if others lie between them and the camera."""
    nearest, farthest = np.quantile(own[own > 0] if (own > 0).any() else np.ones(1), [_OUTER, 1 - _OUTER])
    if len(before):
        nearest = min(nearest, np.quantile(before, _NEARER))
    return DepthRange(float(nearest) / _MARGIN, float(farthest) * _MARGIN)
