"""What speaks for and against two tracks being one object, in one unit: cells of space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from s3d_splat.alignment.identity.graph import Comparison
from s3d_splat.alignment.identity.tracks import View

_PIXEL_WEIGHT = 2.0  # masks of one image need no poses to be compared: they count so many times as much
_BESIDE = 1.0  # how much being seen side by side weighs, of the smaller track
_BESIDE_FRAMES = 2  # fewer may be an accident at the border of two objects


def space_evidence(views: Sequence[View], tracks: int) -> Comparison:
    """Tracks of different views that share cells.

    The share s of a track in a cell is that of the pixels of its view there. Over the cells that both views have labelled,
    agreed is sum s t, compared is sum (s^2 + t^2) / 2: equal shares agree fully, however low noise at the border of a small
    object has made them, and a part of an object that one view did not see is no disagreement.
    """
    track, key, view, share = _shares(views)
    cells, cell = np.unique(key, return_inverse=True)
    seen_by = np.unique(cell * len(views) + view)
    seen = _indicator(seen_by // max(len(views), 1), seen_by % max(len(views), 1), (len(cells), len(views)))
    visible = (csr_matrix((share**2, (track, cell)), shape=(tracks, len(cells))) @ seen).tocsr()
    view_of = np.zeros(tracks, dtype=np.int64)
    view_of[track] = view
    pairs, agreed = _common(track, cell, view, share)
    first, second = pairs.T
    union = (_entries(visible, first, view_of[second]) + _entries(visible, second, view_of[first])) / 2
    return Comparison(pairs, agreed, union)


def beside_evidence(views: Sequence[View], tracks: int) -> Comparison:
    """Tracks seen side by side in images of one view: compared with the cells of the smaller one, agreed in nothing."""
    size = track_sizes(views, tracks)
    pairs = np.concatenate(
        [np.zeros((0, 2), np.int64), *(view.beside[view.beside_frames >= _BESIDE_FRAMES] for view in views)]
    )
    return Comparison(pairs, np.zeros(len(pairs)), _BESIDE * size[pairs].min(axis=1, initial=np.inf))


def track_sizes(views: Sequence[View], tracks: int) -> Float[np.ndarray, " t"]:
    """What each track could be compared with, were it seen completely."""
    track, _, _, share = _shares(views)
    return np.bincount(track, weights=share**2, minlength=tracks).astype(np.float64)  # integers where there is nothing


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


def _shares(views: Sequence[View]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Track, key, view and share (0..1] of every vote."""
    parts = []
    for number, view in enumerate(views):
        place = np.unique(view.key, return_inverse=True)[1]
        total = np.bincount(place, weights=view.count)
        parts.append((view.track, view.key, np.full(len(view.key), number), view.count / total[place]))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing, np.zeros(0)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return columns[0], columns[1], columns[2], columns[3]


def _common(
    track: Int[np.ndarray, " m"], cell: Int[np.ndarray, " m"], view: Int[np.ndarray, " m"], share: Float[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, "e 2"], Float[np.ndarray, " e"]]:
    """Pairs (ascending) of tracks of different views, and the sum over cells of the product of their shares."""
    order = np.argsort(cell, kind="stable")
    track, cell, view, share = track[order], cell[order], view[order], share[order]
    base = int(track.max(initial=0)) + 1
    codes, sums = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64)
    step = 1
    while step < len(cell):
        near = np.flatnonzero(cell[step:] == cell[:-step])
        if not len(near):
            break
        near = near[view[near] != view[near + step]]
        a, b = track[near], track[near + step]
        merged, inverse = np.unique(np.r_[codes, np.minimum(a, b) * base + np.maximum(a, b)], return_inverse=True)
        weights = np.r_[sums, share[near] * share[near + step]]
        codes, sums = merged, np.zeros(len(merged))
        np.add.at(sums, inverse, weights)
        step += 1
    return np.stack([codes // base, codes % base], axis=1), sums


def _indicator(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(len(row)), (row, column)), shape=shape)


def _entries(matrix: csr_matrix, row: Int[np.ndarray, " e"], column: Int[np.ndarray, " e"]) -> Float[np.ndarray, " e"]:
    return np.asarray(matrix[row, column]).ravel() if len(row) else np.zeros(0)
