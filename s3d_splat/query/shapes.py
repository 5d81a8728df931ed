"""What relations measure objects by: their points, how far those reach, and sizes that do not depend on the axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from s3d_splat.query.values import ObjectTable
from s3d_splat.query.words import SuperlativeKind

_EXACT_GAP = 3.0  # metres; from here on the gap of two spheres is near enough, as a rule
_TURNS = np.deg2rad(np.arange(0, 90, 5))
_FINE_TURNS = np.deg2rad(np.arange(-5, 5.1, 0.5))


@dataclass(frozen=True)
class Shapes:
    """The points of k objects one after the other, and a sphere around those of each (metres, z up)."""

    xyz: Float[np.ndarray, "n 3"]
    box: Float[np.ndarray, "k 2 3"]
    centre: Float[np.ndarray, "k 3"]
    radius: Float[np.ndarray, " k"]
    start: Int[np.ndarray, " k+1"]  # object i has the points start[i]..start[i+1]-1

    def points(self, i: int) -> Float[np.ndarray, "_ 3"]:
        """The points of object i."""
        return self.xyz[self.start[i] : self.start[i + 1]]

    def gathered(self, which: Int[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " m"]]:
        """The points of several objects, and where each of them begins."""
        counts = self.start[which + 1] - self.start[which]
        first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        rows = np.arange(int(counts.sum())) + np.repeat(self.start[which] - first, counts)
        return self.xyz[rows], first

    def sphere_gap(self, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
        """Metres between the spheres around objects a and b, at least 0: no gap of their points is less."""
        apart = np.linalg.norm(self.centre[a] - self.centre[b], axis=1)
        return np.maximum(apart - self.radius[a] - self.radius[b], 0)

    def gap(
        self, a: Int[np.ndarray, " m"], b: int, exact: Float[np.ndarray, " m"] | float = _EXACT_GAP
    ) -> Float[np.ndarray, " m"]:
        """Metres between the points of objects a and b; where the spheres around them are `exact` apart, between those."""
        gap = self.sphere_gap(a, b)
        close = np.flatnonzero(gap < exact)
        if len(close):
            xyz, first = self.gathered(a[close])
            gap[close] = np.minimum.reduceat(cKDTree(self.points(b)).query(xyz)[0], first)
        return gap


def shapes_of(objects: ObjectTable) -> Shapes:
    """The shapes of the objects of a scene; one without points has the corners of its box."""
    corner = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(8, 3)
    points = [xyz if len(xyz) else box[corner, np.arange(3)] for xyz, box in zip(objects.points, objects.box, strict=True)]
    counts = np.array([len(xyz) for xyz in points], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    xyz = np.concatenate(points) if points else np.zeros((0, 3))
    away = np.linalg.norm(xyz - np.repeat(objects.centre, counts, axis=0), axis=1)
    radius = np.maximum.reduceat(away, start[:-1]) if points else np.zeros(0)
    return Shapes(xyz, objects.box, objects.centre, radius, start)


@dataclass(frozen=True)
class UprightBox:
    """The box of least footprint around an object's points, upright but turned as it likes (metres)."""

    axes: Float[np.ndarray, "2 2"]  # rows: its horizontal directions
    low: Float[np.ndarray, "3"]  # along both of them, and up
    high: Float[np.ndarray, "3"]

    def along(self, xyz: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points in the directions of the box."""
        return np.concatenate([xyz[:, :2] @ self.axes.T, xyz[:, 2:]], axis=1)


def upright_box(xyz: Float[np.ndarray, "n 3"], lowest: float, highest: float) -> UprightBox:
    """The upright box of least footprint, among turns by half a degree, around points from lowest to highest (metres)."""
    best = 0.0
    for angles in (_TURNS, _FINE_TURNS):
        turned = best + angles
        cos, sin = np.cos(turned), np.sin(turned)
        axes = np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=1)
        along = (axes.reshape(-1, 2) @ xyz[:, :2].T).reshape(len(turned), 2, -1)
        low, high = along.min(axis=2), along.max(axis=2)
        i = int(np.argmin(np.prod(high - low + 0.01, axis=1)))
        best = float(turned[i])
    return UprightBox(axes[i], np.append(low[i], lowest), np.append(high[i], highest))


def box_of(shapes: Shapes, i: int) -> UprightBox:
    """The upright box of object i."""
    return upright_box(shapes.points(i), float(shapes.box[i, 0, 2]), float(shapes.box[i, 1, 2]))


def measured(kind: SuperlativeKind, shapes: Shapes, which: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """How much of what a superlative compares each object has: the first is the one with most, all are comparable by ratio.

    Largest compares the surfaces of boxes, which tells pictures apart as well as boxes; longest the longest of the three
    sides, widest the longest horizontal one; tall and short are about heights, high and low about where the middle is.
    """
    if kind in ("highest", "lowest"):
        middle = shapes.box[which, :, 2].mean(axis=1)
        return np.exp(middle - middle.max()) if kind == "highest" else np.exp(middle.min() - middle)
    if kind in ("tallest", "shortest"):
        height = np.maximum(shapes.box[which, 1, 2] - shapes.box[which, 0, 2], 1e-3)
        return height if kind == "tallest" else 1 / height
    boxes = [box_of(shapes, int(i)) for i in which]
    return _SIZES[kind](np.maximum(np.array([box.high - box.low for box in boxes]).reshape(-1, 3), 1e-3))


def _surface(sides: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " m"]:
    return sides[:, 0] * sides[:, 1] + sides[:, 1] * sides[:, 2] + sides[:, 2] * sides[:, 0]


_SIZES: dict[SuperlativeKind, Callable[[Float[np.ndarray, "m 3"]], Float[np.ndarray, " m"]]] = {
    "largest": _surface,
    "smallest": lambda sides: 1 / _surface(sides),
    "longest": lambda sides: sides.max(axis=1),
    "widest": lambda sides: sides[:, :2].max(axis=1),
}
