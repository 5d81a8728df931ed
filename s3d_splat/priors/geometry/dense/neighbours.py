"""Which views a view is compared with, and between which depths its surfaces lie: both from points of structure from motion.

Source of the score: Y. Yao et al., "MVSNet: depth inference for unstructured multi-view stereo", ECCV 2018, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.priors.geometry.dense.estimate import DepthRange

_BEST_ANGLE = 5.0  # degrees between the rays of two views to a point: less tells little of its depth,
_NARROW, _WIDE = 1.0, 10.0  # more changes what it looks like: standard deviations of the worth of angles below and above
_LEAST_SCORE = 2.0  # points at the best angle
_APART = 0.5  # of the distance to the view: neighbours nearer to each other tell the same, and count less
_OUTER = 0.02  # share of the points that may be wrong, at either end of the range
_MARGIN = 1.5  # how far surfaces without points may lie beyond those with points


@dataclass(frozen=True)
class Sightings:
    """Which view sees which point."""

    centres: Float[np.ndarray, "n 3"]  # of the cameras
    points: Float[np.ndarray, "m 3"]
    view: Int[np.ndarray, " o"]
    point: Int[np.ndarray, " o"]
    depth: Float[np.ndarray, " o"]  # along z of the view, units of the gauge


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
    by_view = _Rows(seen.view, len(seen.centres))
    by_point = _Rows(seen.point, len(seen.points))
    for view in range(len(seen.centres)):
        rows = by_view.of(view)
        if not len(rows):
            yield None
            continue
        scores = _scores(seen, view, seen.point[rows], by_point)
        scores[~allowed] = 0
        scores[view] = 0
        yield Surroundings(_chosen(scores, seen.centres, view, count), _range(seen.depth[rows]))


class _Rows:
    """The rows of a table by the value of a column."""

    def __init__(self, column: Int[np.ndarray, " o"], count: int) -> None:
        self._order = np.argsort(column, kind="stable")
        self._starts = np.searchsorted(column[self._order], np.arange(count + 1))

    def of(self, value: int) -> Int[np.ndarray, " r"]:
        return self._order[self._starts[value] : self._starts[value + 1]]


def _scores(seen: Sightings, view: int, points: Int[np.ndarray, " p"], by_point: _Rows) -> Float[np.ndarray, " n"]:
    """The worth of all views for one, by the angles under which both see their common points."""
    rows = np.concatenate([by_point.of(int(point)) for point in points])
    here = seen.centres[view] - seen.points[seen.point[rows]]
    there = seen.centres[seen.view[rows]] - seen.points[seen.point[rows]]
    cosine = (here * there).sum(1) / np.maximum(np.linalg.norm(here, axis=1) * np.linalg.norm(there, axis=1), 1e-30)
    beyond = np.degrees(np.arccos(cosine.clip(-1, 1))) - _BEST_ANGLE
    worth = np.exp(-0.5 * (beyond / np.where(beyond < 0, _NARROW, _WIDE)) ** 2)
    return np.bincount(seen.view[rows], weights=worth, minlength=len(seen.centres))


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


def _range(depth: Float[np.ndarray, " r"]) -> DepthRange:
    nearest, farthest = np.quantile(depth[depth > 0] if (depth > 0).any() else np.ones(1), [_OUTER, 1 - _OUTER])
    return DepthRange(float(nearest) / _MARGIN, float(farthest) * _MARGIN)
