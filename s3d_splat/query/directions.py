"""Left, right, in front and behind, as those who took the pictures saw it: the share of views in which it holds.

Every camera is taken to be held level, so that pictures taken sideways count like the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.query.shapes import Shapes
from s3d_splat.query.values import Viewpoints

_SURE = np.deg2rad(4.0)  # a direction that differs by this angle differs for sure
_SURE_DEPTH = 0.2  # metres: and so does a depth by this much
_STEP_BACK = 5.0  # metres: from where two objects are looked at that no view shows together
_ASIDE = 0.5  # metres: what is in front of something may be beside it by this much more than their sizes


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


def left_of(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """How surely a is to the left, mean of the views that show both.

    Without one, as seen from the mean direction of the views that show either; 0 where there is none.
    """
    return _seen(shapes, looks, a, b, _leftness, 1)


def right_of(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """right_of(a, b) = left_of(b, a)."""
    return _seen(shapes, looks, a, b, _leftness, -1)


def in_front_of(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """As `left_of`: a is nearer to who looks, and in about the same direction."""
    return _seen(shapes, looks, a, b, _frontness, 1)


def behind(shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """behind(a, b) = in_front_of(b, a)."""
    return _seen(shapes, looks, a, b, _frontness, -1)


# (to the right, ahead) of a and of b in metres, and the sum of their radii; 1 = surely, 0 = not at all, -1 = the opposite.
_Seen = tuple[np.ndarray, np.ndarray]
_Measure = Callable[[_Seen, _Seen, np.ndarray], np.ndarray]


def _leftness(a: _Seen, b: _Seen, size: Float[np.ndarray, " m"]) -> Float[np.ndarray, "*v m"]:
    return (np.arctan2(*b) - np.arctan2(*a)) / _SURE


def _frontness(a: _Seen, b: _Seen, size: Float[np.ndarray, " m"]) -> Float[np.ndarray, "*v m"]:
    return np.clip((b[1] - a[1]) / _SURE_DEPTH, -1, 1) * np.clip(1.5 - np.abs(b[0] - a[0]) / (size + _ASIDE), 0, 1)


def _seen(
    shapes: Shapes, looks: Looks, a: Int[np.ndarray, " m"], b: int, measure: _Measure, sign: int
) -> Float[np.ndarray, " m"]:
    centre, other, size = shapes.centre[a], shapes.centre[b], shapes.radius[a] + shapes.radius[b]
    both = looks.shown[:, a] & looks.shown[:, b][:, None]
    eye, ahead = looks.eye[:, None], looks.ahead[:, None]
    sure = np.clip(sign * measure(_from(eye, ahead, centre), _from(eye, ahead, other), size), 0, 1)
    count = both.sum(axis=0)
    score = (sure * both).sum(axis=0) / np.maximum(count, 1)

    either = looks.shown[:, a] | looks.shown[:, b][:, None]
    mean = either.T.astype(float) @ looks.ahead
    known = np.linalg.norm(mean, axis=1) > 1e-6 * np.maximum(either.sum(axis=0), 1)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    back = 0.5 * (centre + other) - _STEP_BACK * mean
    from_there = np.clip(sign * measure(_from(back, mean, centre), _from(back, mean, other), size), 0, 1)
    return np.where(count > 0, score, from_there * known) * (a != b)


def _from(eye: Float[np.ndarray, "*v 3"], ahead: Float[np.ndarray, "*v 3"], point: Float[np.ndarray, "*m 3"]) -> _Seen:
    """Metres to the right and ahead, on the level."""
    to = point - eye
    right = np.stack([ahead[..., 1], -ahead[..., 0]], axis=-1)
    return (to[..., :2] * right).sum(axis=-1), (to * ahead).sum(axis=-1)
