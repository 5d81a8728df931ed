"""What geometry answers about the objects of a scene, by the words of a question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.errors import S3DError
from s3d_splat.query import directions, relations
from s3d_splat.query.directions import Looks
from s3d_splat.query.shapes import Shapes, measured, shapes_of
from s3d_splat.query.values import ObjectTable, Viewpoints
from s3d_splat.query.words import RelationKind, SuperlativeKind

_Relation = Callable[[Shapes, Int[np.ndarray, " m"], int], Float[np.ndarray, " m"]]
_Direction = Callable[[Shapes, Looks, Int[np.ndarray, " m"], Int[np.ndarray, " n"]], Float[np.ndarray, "m n"]]

_RELATIONS: dict[RelationKind, _Relation] = {
    "above": relations.above,
    "below": relations.below,
    "on": relations.on,
    "in": relations.inside,
    "near": relations.near,
    "far from": relations.far,
}
_DIRECTIONS: dict[RelationKind, _Direction] = {
    "left of": directions.left_of,
    "right of": directions.right_of,
    "in front of": directions.in_front_of,
    "behind": directions.behind,
}
_LIKELIEST = 100  # objects that each end of "between" may be


class Geometry:
    """Relations and sizes of the k objects of a scene."""

    def __init__(self, objects: ObjectTable, viewpoints: Viewpoints | None) -> None:
        self._shapes = shapes_of(objects)
        self._looks = Looks(viewpoints, objects.T_upright_world) if viewpoints is not None else None

    def holds(self, kind: RelationKind, a: Int[np.ndarray, " m"], b: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
        """How well a relation (any but "between") holds between each of the objects in rows a and each in rows b, 0..1.

        Raises:
            S3DError: it depends on who looks, and no viewpoints are known.
        """
        if kind in _DIRECTIONS:
            return _DIRECTIONS[kind](self._shapes, self._seen(kind), a, b)
        columns = [_RELATIONS[kind](self._shapes, a, int(other)) for other in b]
        return np.stack(columns, axis=1) * (a[:, None] != b) if columns else np.zeros((len(a), 0))

    def related(
        self, kind: RelationKind, a: Int[np.ndarray, " m"], weight: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " m"]:
        """How well a relation holds with the best of several objects, each as sure to be meant as its weight (0..1).

        What is "far from" several is far from all of them.
        """
        rows = np.flatnonzero(weight > 0)
        holds = self.holds(kind, a, rows).T
        if kind == "far from":
            holds = np.where(a == rows[:, None], 1.0, holds)
            apart = np.min(1 - weight[rows][:, None] * (1 - holds), axis=0)
            return np.where((a == rows[:, None]).all(axis=0), 0.0, apart)
        return (weight[rows][:, None] * holds).max(axis=0)

    def between(
        self, a: Int[np.ndarray, " m"], first: Float[np.ndarray, " k"], second: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " m"]:
        """How well objects are between the best pair of one each of two sets, given by weights as for `related`.

        Of each set only the `_LIKELIEST` count.
        """
        best = np.zeros(len(a))
        ends = _likeliest(second)
        for b in _likeliest(first):
            holds = relations.between(self._shapes, a, int(b), ends)
            best = np.maximum(best, (first[b] * second[ends] * holds).max(axis=1, initial=0.0))
        return best

    def ranked(
        self, kind: SuperlativeKind, a: Int[np.ndarray, " m"], target: Float[np.ndarray, " k"] | None
    ) -> Float[np.ndarray, " m"]:
        """How near each object is to being the first in something, 1 for the first.

        Args:
            target: weights of what distances are measured to; None = the mean place of those who look.

        Raises:
            S3DError: it depends on who looks, and no viewpoints are known.
        """
        if kind in ("leftmost", "rightmost"):
            side: RelationKind = "left of" if kind == "leftmost" else "right of"
            value = self.holds(side, a, a).sum(axis=1) + 1e-6
        elif kind in ("nearest", "farthest"):
            away = self._distance(kind, a, target)
            value = np.exp(away.min() - away) if kind == "nearest" else np.exp(away - away.max())
        else:
            value = measured(kind, self._shapes, a)
        return value / value.max()

    def _distance(
        self, kind: str, a: Int[np.ndarray, " m"], target: Float[np.ndarray, " k"] | None
    ) -> Float[np.ndarray, " m"]:
        """Metres to the nearest object of the target that is not the object itself."""
        if target is None:
            return np.linalg.norm(self._shapes.centre[a] - self._seen(kind).eye.mean(axis=0), axis=1)
        rows = np.flatnonzero(target > 0)
        away = np.stack([np.where(a == b, np.inf, self._shapes.gap(a, int(b))) for b in rows]).min(axis=0)
        return np.where(np.isinf(away), away[np.isfinite(away)].max(initial=0.0), away)

    def _seen(self, kind: str) -> Looks:
        if self._looks is None or not len(self._looks.eye):
            raise S3DError(
                f"{kind!r} depends on who looks",
                why="no camera of the scene is known",
                fix="ask without it, or give cameras",
            )
        return self._looks


def _likeliest(weight: Float[np.ndarray, " k"]) -> Int[np.ndarray, " n"]:
    """The rows with the highest weights, without those of 0."""
    order = np.argsort(-weight, kind="stable")[:_LIKELIEST]
    return order[weight[order] > 0]
