"""What speaks for and against two tracks being one object, in one unit: cells of space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix, triu

from s3d_splat.alignment.identity.graph import Comparison, joined
from s3d_splat.alignment.identity.values import View

_THRESHOLD = 0.2  # of what was compared must agree
_PIXEL_WEIGHT = 2.0  # masks of one image need no poses to be compared: they count so many times as much
_BESIDE_WEIGHT = 2.0  # to have been seen side by side counts so many times as much as not to share a cell


def objects_of(
    views: Sequence[View],
    evidence: Sequence[Comparison],
    class_id: Int[np.ndarray, " t"],
    is_stuff: Bool[np.ndarray, " t"],
) -> Int[np.ndarray, " t"]:
    """The group (0, 1, ...) of every track: one for each stuff class, one for each object."""
    size = track_sizes(views, len(class_id))
    group = joined(size, [_of_one_class(entry, class_id, is_stuff) for entry in evidence], _THRESHOLD)
    return np.unique(np.where(is_stuff, -class_id, group), return_inverse=True)[1]


def space_evidence(views: Sequence[View], tracks: int) -> Comparison:
    """Tracks of different views that share cells.

    The share s of a track in a cell is that of the pixels of its view there. Over the cells that both views have labelled,
    agreed is sum s t, compared is sum (s^2 + t^2) / 2: equal shares agree fully, however low noise at the border of a small
    object has made them, and a part of an object that one view did not see is no disagreement.
    """
    track, key, view, share = _shares(views)
    cells, cell = np.unique(key, return_inverse=True)
    view_of = np.zeros(tracks, dtype=np.int64)
    view_of[track] = view
    votes = csr_matrix((share, (track, cell)), shape=(tracks, len(cells)))
    common = triu(votes @ votes.T, 1).tocoo()
    apart = view_of[common.row] != view_of[common.col]
    first, second, agreed = common.row[apart].astype(np.int64), common.col[apart].astype(np.int64), common.data[apart]
    seen = csr_matrix((np.ones(len(cell)), (cell, view)), shape=(len(cells), len(views))).minimum(1)
    visible = csr_matrix(votes.power(2) @ seen)
    compared = (_entries(visible, first, view_of[second]) + _entries(visible, second, view_of[first])) / 2
    return Comparison(np.stack([first, second], axis=1), agreed.astype(np.float64), compared)


def beside_evidence(views: Sequence[View], tracks: int, frames: int) -> Comparison:
    """Tracks seen side by side in at least `frames` images of a view: compared with the smaller one, agreed in nothing."""
    size = track_sizes(views, tracks)
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(view.beside[view.beside_frames >= frames] for view in views)])
    return Comparison(pairs, np.zeros(len(pairs)), _BESIDE_WEIGHT * size[pairs].min(axis=1, initial=np.inf))


def pixel_evidence(first: Int[np.ndarray, " p"], second: Int[np.ndarray, " p"], cells_per_pixel: float) -> Comparison:
    """Tracks of two clusters in the pixels of one image (-1 = unlabelled): agreed is the intersection of masks, compared
    the union, both of pixels that both clusters have labelled."""
    both = (first >= 0) & (second >= 0)
    left, right = first[both], second[both]
    base = int(right.max(initial=0)) + 1
    codes, count = np.unique(left * base + right, return_counts=True)
    pairs = np.stack([codes // base, codes % base], axis=1)
    sizes = np.bincount(left, minlength=1)[pairs[:, 0]] + np.bincount(right, minlength=base)[pairs[:, 1]]
    weight = _PIXEL_WEIGHT * cells_per_pixel
    return Comparison(pairs, weight * count, weight * (sizes - count))


def track_sizes(views: Sequence[View], tracks: int) -> Float[np.ndarray, " t"]:
    """What each track could be compared with, were it seen completely."""
    track, _, _, share = _shares(views)
    return np.bincount(track, weights=share**2, minlength=tracks).astype(np.float64)  # integers where there is nothing


def _of_one_class(evidence: Comparison, class_id: Int[np.ndarray, " t"], is_stuff: Bool[np.ndarray, " t"]) -> Comparison:
    """Evidence for joining counts between things of one class, or of which one has no class; evidence against always."""
    first, second = class_id[evidence.pair].T
    fits = (first == second) | (first == 0) | (second == 0)
    things = ~is_stuff[evidence.pair].any(axis=1)
    return Comparison(evidence.pair[things], (evidence.agreed * fits)[things], evidence.compared[things])


def _shares(
    views: Sequence[View],
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Track, key, view and share (0..1] of every vote."""
    parts = []
    for number, view in enumerate(views):
        place = np.unique(view.key, return_inverse=True)[1]
        total = np.bincount(place, weights=view.count)
        parts.append((view.track, view.key, np.full(len(view.key), number), view.count / total[place]))
    nothing = np.zeros(0, np.int64)
    columns = [np.concatenate(column) for column in zip((nothing, nothing, nothing, np.zeros(0)), *parts, strict=True)]
    return columns[0], columns[1], columns[2], columns[3]


def _entries(matrix: csr_matrix, row: Int[np.ndarray, " e"], column: Int[np.ndarray, " e"]) -> Float[np.ndarray, " e"]:
    return np.asarray(matrix[row, column]).ravel() if len(row) else np.zeros(0)
