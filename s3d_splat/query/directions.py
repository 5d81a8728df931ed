"""Left, right, in front and behind, as those who took the pictures saw it: the share of views in which it holds.

Every camera is taken to be held level, so that pictures taken sideways count like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.query.shapes import Shapes
from s3d_splat.query.values import Viewpoints

_SURE = np.deg2rad(4.0)  # a direction that differs by this angle differs for sure
_SURE_DEPTH = 0.2  # metres: and so does a depth by this much
_STEP_BACK = 5.0  # metres: from where two objects are looked at that no view shows together; farther where those are so
_ASIDE = 0.5  # metres: what is in front of something may be beside it by this much more than their sizes
_PAIRS = 1 << 18  # pairs of objects in a view that are looked at in one go


class Looks:
    """The viewpoints as directions in the upright frame."""

    def __init__(self, viewpoints: Viewpoints, T_upright_world: Float[np.ndarray, "4 4"]) -> None:
        pose = T_upright_world @ viewpoints.T_world_camera
        self.shown: Bool[np.ndarray, "v k"] = viewpoints.shown
        self.eye: Float[np.ndarray, "v 3"] = pose[:, :3, 3]
        self.ahead: Float[np.ndarray, "v 3"] = pose[:, :3, 2] * np.array([1.0, 1.0, 0.0])
        steep = np.linalg.norm(self.ahead, axis=1) < 0.1  # looks straight down: the top of the picture is ahead
        self.ahead[steep] = -pose[steep, :3, 1] * np.array([1.0, 1.0, 0.0])
        self.ahead /= np.maximum(np.linalg.norm(self.ahead, axis=1, keepdims=True), 1e-9)


def left_of(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
    """How surely each of a is to the left of each of b, mean of the views that show both.

    Without one, as seen from the mean direction of the views that show either; 0 where there is none.
    """
    return _seen(shapes, looks, a, b, _leftness, 1)


def right_of(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
    """right_of(a, b) = left_of(b, a)."""
    return _seen(shapes, looks, a, b, _leftness, -1)


def in_front_of(
    shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "m n"]:
    """As `left_of`: a is nearer to who looks, and in about the same direction."""
    return _seen(shapes, looks, a, b, _frontness, 1)


def behind(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
    """behind(a, b) = in_front_of(b, a)."""
    return _seen(shapes, looks, a, b, _frontness, -1)


# (to the right, ahead) of a and of b in metres, and the sum of their radii; 1 = surely, 0 = not at all, -1 = the opposite.
_Seen = tuple[np.ndarray, np.ndarray]
_Measure = Callable[[_Seen, _Seen, np.ndarray], np.ndarray]


def _leftness(a: _Seen, b: _Seen, size: Float[np.ndarray, "*p"]) -> Float[np.ndarray, "*p"]:
    return (np.arctan2(*b) - np.arctan2(*a)) / _SURE


def _frontness(a: _Seen, b: _Seen, size: Float[np.ndarray, "*p"]) -> Float[np.ndarray, "*p"]:
    return np.clip((b[1] - a[1]) / _SURE_DEPTH, -1, 1) * np.clip(1.5 - np.abs(b[0] - a[0]) / (size + _ASIDE), 0, 1)


def _seen(
    shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"], measure: _Measure, sign: int
) -> Float[np.ndarray, "m n"]:
    count, total = np.zeros((2, len(a) * len(b)))
    for view, i, j in _together(looks.shown[:, a], looks.shown[:, b]):
        eye, ahead = looks.eye[view], looks.ahead[view]
        seen = _from(eye, ahead, shapes.centre[a[i]]), _from(eye, ahead, shapes.centre[b[j]])
        sure = np.clip(sign * measure(*seen, shapes.radius[a[i]] + shapes.radius[b[j]]), 0, 1)
        count += np.bincount(i * len(b) + j, minlength=len(count))
        total += np.bincount(i * len(b) + j, weights=sure, minlength=len(count))
    i, j = np.divmod(np.flatnonzero(count == 0), len(b))
    score = total / np.maximum(count, 1)
    score[count == 0] = _from_afar(shapes, looks, a[i], b[j], measure, sign)
    return score.reshape(len(a), len(b)) * (a[:, None] != b)


def _together(
    first: Bool[np.ndarray, "v m"], second: Bool[np.ndarray, "v n"]
) -> Iterator[tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"], Int[np.ndarray, " p"]]]:
    """View, row of the first and row of the second, wherever a view shows both; a bounded number at a time."""
    view, row = np.nonzero(first)
    partner = np.nonzero(second)[1]
    partners = second.sum(axis=1)
    start = (np.cumsum(partners) - partners)[view]
    partners = partners[view]
    batch = np.cumsum(partners) // _PAIRS
    for own in np.split(np.arange(len(view)), np.flatnonzero(np.diff(batch)) + 1):
        entry = np.repeat(own, partners[own])
        nth = np.arange(len(entry)) - np.repeat(np.cumsum(partners[own]) - partners[own], partners[own])
        yield view[entry], row[entry], partner[start[entry] + nth]


def _from_afar(
    shapes: Shapes, looks: Looks, a: Int[np.ndarray, " p"], b: Int[np.ndarray, " p"], measure: _Measure, sign: int
) -> Float[np.ndarray, " p"]:
    """Pairs that no view shows together, from the mean direction of the views that show one or the other."""
    ahead = looks.shown.T.astype(float) @ looks.ahead
    views = looks.shown.sum(axis=0)
    mean = ahead[a] + ahead[b]
    length = np.linalg.norm(mean, axis=1)
    known = length > 1e-6 * np.maximum(views[a] + views[b], 1)
    mean /= np.maximum(length, 1e-9)[:, None]
    apart = np.linalg.norm(shapes.centre[a] - shapes.centre[b], axis=1)
    back = 0.5 * (shapes.centre[a] + shapes.centre[b]) - np.maximum(apart, _STEP_BACK)[:, None] * mean
    seen = _from(back, mean, shapes.centre[a]), _from(back, mean, shapes.centre[b])
    return np.clip(sign * measure(*seen, shapes.radius[a] + shapes.radius[b]), 0, 1) * known


def _from(eye: Float[np.ndarray, "p 3"], ahead: Float[np.ndarray, "p 3"], point: Float[np.ndarray, "p 3"]) -> _Seen:
    """Metres to the right and ahead, on the level."""
    to = point - eye
    right = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
    return (to[:, :2] * right).sum(axis=1), (to * ahead).sum(axis=1)
