"""Where objects are, seen from others, as far as nobody's viewpoint matters: soft scores 0..1, of which 0.5 just holds.

Everything is measured on points, so that turning the world about the vertical changes nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from s3d_splat.query.shapes import Shapes, box_of

_NEAR = (0.3, 0.5, 2.0)  # metres; near is up to the first + the second · mean size, sizes counting up to the third
_CONTACT = 0.05  # metres: what rests on something may be this far above or below its surface
_HANGING = 0.1  # metres: half of what hangs on a wall is no farther from it than this
_ABOVE_GROUND = 0.3  # metres: what hangs on a wall is this much above its foot
_BESIDE = 0.1  # metres: two objects are above one another although their footprints are this far apart
_LEVEL = 0.2  # metres: heights of big objects that differ by this much differ for sure


def near(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """Symmetric; 1 up to half a reach between the points, 0.5 at a reach, 0 from 1.5 reaches on."""
    reach = _reach(shapes, a, b)
    return np.clip(1.5 - shapes.gap(a, b, 1.5 * reach) / reach, 0, 1)


def far(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """Symmetric, never more than 1 - near; 0.5 at two reaches between the points."""
    reach = _reach(shapes, a, b)
    return np.clip(shapes.gap(a, b, 2.5 * reach) / reach - 1.5, 0, 1)


def above(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """The points of a are higher than those of b, and the footprint of one is over that of the other."""
    return _overlap(shapes, a, b) * np.clip(_higher(shapes, a, b), 0, 1)


def below(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """below(a, b) = above(b, a)."""
    return _overlap(shapes, a, b) * np.clip(-_higher(shapes, a, b), 0, 1)


def on(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """a rests on b, or hangs on it as a picture on a wall."""
    score = np.zeros(len(a))
    close = np.flatnonzero((shapes.sphere_gap(a, b) < _ABOVE_GROUND) & (a != b))
    if len(close):
        tree = cKDTree(shapes.points(b))
        spacing = _spacing(tree)
        rests = _rests(shapes, a[close], tree, spacing) * _carries(shapes, a[close], b)
        score[close] = np.maximum(rests, _hangs(shapes, a[close], tree))
    return score


def inside(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """Three fifths of the points of a (1: four fifths) are in the upright box of b, which reaches farther than a does."""
    score = np.zeros(len(a))
    close = np.flatnonzero((shapes.sphere_gap(a, b) == 0) & (shapes.radius[a] < shapes.radius[b]))
    if len(close):
        box = box_of(shapes, b)
        xyz, first = shapes.gathered(a[close])
        along = box.along(xyz)
        within = ((along > box.low - 0.02) & (along < box.high + 0.02)).all(axis=1)
        share = np.add.reduceat(within.astype(float), first) / _counts(first, len(xyz))
        score[close] = np.clip(2.5 * share - 1, 0, 1)
    return score


def between(shapes: Shapes, a: Int[np.ndarray, " m"], b: int, c: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
    """Symmetric in b and c: the centre of a is beside the inner part of the line from centre to centre, heights halved."""
    squeeze = np.array([1.0, 1.0, 0.5])
    lines = (shapes.centre[c] - shapes.centre[b]) * squeeze
    length = np.maximum(np.linalg.norm(lines, axis=1), 1e-6)
    to = (shapes.centre[a] - shapes.centre[b]) * squeeze
    along = to @ lines.T
    share = along / length**2
    away = np.sqrt(np.maximum((to**2).sum(axis=1)[:, None] - (along / length) ** 2, 0))
    aside = away / (0.25 * length + 0.5 * shapes.radius[a][:, None])
    score = np.clip(1.5 - aside, 0, 1) * np.clip(np.minimum(share, 1 - share) / 0.1, 0, 1)
    return score * ((a[:, None] != b) & (a[:, None] != c) & (c != b))


def _reach(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    least, share, largest = _NEAR
    return least + share * 0.5 * (np.minimum(2 * shapes.radius[a], largest) + min(2 * shapes.radius[b], largest))


def _rests(shapes: Shapes, a: Int[np.ndarray, " m"], tree: cKDTree, spacing: float) -> Float[np.ndarray, " m"]:
    """Is there a surface at the height of each bottom, under or around enough of the footprint?

    What stands on a surface hides it, so points around the footprint count as well as points under it.
    """
    xyz, first = shapes.gathered(a)
    counts = _counts(first, len(xyz))
    bottom = np.repeat(shapes.box[a, 0, 2], counts)
    scale = np.array([1 / (_CONTACT + 1.5 * spacing)] * 2 + [1 / _CONTACT])
    surface = cKDTree(np.asarray(tree.data) * scale)
    away = surface.query(np.concatenate([xyz[:, :2], bottom[:, None]], axis=1) * scale, distance_upper_bound=2.0)[0]
    supported = np.add.reduceat(np.clip(2 - away, 0, 1), first) / counts
    return np.clip(supported / 0.4, 0, 1)


def _carries(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Bool[np.ndarray, " m"]:
    """Does b begin below the bottom of a? Two objects that stand side by side on one floor do not carry each other."""
    low, high = shapes.box[b, :, 2]
    return shapes.box[a, 0, 2] >= low + 0.25 * min(high - low, 4 * _CONTACT)


def _hangs(shapes: Shapes, a: Int[np.ndarray, " m"], tree: cKDTree) -> Float[np.ndarray, " m"]:
    """Do the points lie along an upright plane of the tree's points, well above their foot?"""
    wall = np.asarray(tree.data)
    if len(wall) < 8:
        return np.zeros(len(a))
    around = wall[tree.query(shapes.centre[a], k=8)[1]]
    mean = around.mean(axis=1)
    spread, axes = np.linalg.eigh(np.einsum("mpi,mpj->mij", around - mean[:, None], around - mean[:, None]))
    normal = axes[:, :, 0]
    upright = (spread[:, 0] < 0.05 * spread[:, 1]) & (np.abs(normal[:, 2]) < 0.3)
    xyz, first = shapes.gathered(a)
    counts = _counts(first, len(xyz))
    away = np.abs(np.einsum("nd,nd->n", xyz - np.repeat(mean, counts, axis=0), np.repeat(normal, counts, axis=0)))
    touching = np.add.reduceat((away < _HANGING).astype(float), first) / counts
    aloft = (shapes.box[a, 0, 2] - wall[:, 2].min()) / _ABOVE_GROUND
    return upright * np.clip(2 * touching - 0.5, 0, 1) * np.clip(aloft, 0, 1)


def _overlap(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """Symmetric: how much of the footprint of whichever reaches less far is at the other's."""
    score = np.zeros(len(a))
    apart = np.linalg.norm(shapes.centre[a, :2] - shapes.centre[b, :2], axis=1) - shapes.radius[a] - shapes.radius[b]
    beside = (apart < 1.0) & (a != b)
    smaller = np.flatnonzero(beside & (shapes.radius[a] <= shapes.radius[b]))
    if len(smaller):
        xyz, first = shapes.gathered(a[smaller])
        at = _at(xyz, shapes.points(b))
        score[smaller] = np.add.reduceat(at, first) / _counts(first, len(xyz))
    for row in np.flatnonzero(beside & (shapes.radius[a] >= shapes.radius[b])):
        score[row] = max(score[row], _at(shapes.points(b), shapes.points(int(a[row]))).mean())
    return np.minimum(2 * score, 1)


def _at(points: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " n"]:
    """1 for points that are above, below or just beside the others, else 0."""
    tree = cKDTree(others[:, :2])
    return (tree.query(points[:, :2])[0] < _BESIDE + _spacing(tree)).astype(float)


def _higher(shapes: Shapes, a: Int[np.ndarray, " m"], b: int) -> Float[np.ndarray, " m"]:
    """How much higher the middle point of a is than that of b; 1 = surely, -1 = surely lower."""
    middle = np.array([np.median(shapes.points(int(i))[:, 2]) for i in a])
    height = shapes.box[:, 1, 2] - shapes.box[:, 0, 2]
    scale = np.clip(0.5 * (height[a] + height[b]), 0.01, _LEVEL)
    return (middle - np.median(shapes.points(b)[:, 2])) / scale


def _spacing(tree: cKDTree) -> float:
    """Metres from a point to the next, as a rule."""
    points = np.asarray(tree.data)
    return float(np.median(tree.query(points, k=2)[0][:, 1])) if len(points) > 1 else 0.0


def _counts(first: Int[np.ndarray, " m"], n: int) -> Int[np.ndarray, " m"]:
    return np.diff(np.append(first, n))
