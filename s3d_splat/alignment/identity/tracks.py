"""Tracks: the masks of one given id in successive images of a cluster, as long as they lie on each other in space.

Images of a cluster are taken together as a view, as long as most of their ids go on: in a view one id is, with few
exceptions, one object, and no two ids are. A view is what votes: where its tracks disagree about a cell, the one with most
pixels there has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.alignment.identity.values import Cells
from s3d_splat.geometry.voxels import coarser_keys

_VIEW_FRAMES = 50
_VIEW_TRACKS = 1_500
_GOING_ON = 0.5  # of the labelled pixels carry ids that the view knows, or its ids have been drawn anew
_STEADY_FRAMES = 3  # a view whose ids went on for so long is closed when they stop
_RECENT = 3  # looks that a mask is compared with
_SMALL = 30  # cells: masks that may miss each other by the noise of their borders
_NEAR = 0.4  # of such a mask must then lie in the track's blocks of cells
_BLOCK = 3  # cells
_OVERLAP = 0.1  # of the mask or of the track, or the id is on another object


@dataclass(frozen=True)
class View:
    """What the images of a view say together: votes of its tracks for cells, and which tracks were seen side by side."""

    track: Int[np.ndarray, " m"]  # each (track, key) pair occurs once
    key: Int[np.ndarray, " m"]
    count: Float[np.ndarray, " m"]  # pixels
    beside: Int[np.ndarray, "s 2"]  # pairs of tracks with masks in one image, ascending in each row
    beside_frames: Int[np.ndarray, " s"]  # in how many


@dataclass
class TrackTable:
    """All tracks of a capture: the cluster and the given id of each."""

    cluster: list[int] = field(default_factory=list)
    given_id: list[int] = field(default_factory=list)

    def new(self, cluster: int, given_id: int) -> int:
        """The number of a new track."""
        self.cluster.append(cluster)
        self.given_id.append(given_id)
        return len(self.cluster) - 1


class ClusterTracks:
    """Joins the masks of one cluster, image by image in the order of time, to tracks, and tracks to views."""

    def __init__(self, cluster: int, table: TrackTable, *, check_space: bool) -> None:
        """`check_space`: split an id where its masks do not lie on each other; else ids are taken at their word."""
        self._cluster, self._table, self._check = cluster, table, check_space
        self.views: list[View] = []
        self._steady = 0
        self._begin()

    def add(self, ids: Int[np.ndarray, " i"], sizes: Int[np.ndarray, " i"], cells: Cells) -> Int[np.ndarray, " i"]:
        """The track of each id of the next image; `sizes` are the pixels of its mask."""
        known = np.isin(ids, np.fromiter(self._tracks, np.int64, len(self._tracks)))
        goes_on = float(sizes[known].sum()) >= _GOING_ON * float(sizes.sum())
        full = self._frames >= _VIEW_FRAMES or self._count >= _VIEW_TRACKS
        if self._frames and (full or (not goes_on and self._steady >= _STEADY_FRAMES)):
            self.close()
        self._steady = self._steady + 1 if goes_on else 0
        self._frames += 1
        tracks = self._assigned(ids, cells)
        order = np.argsort(ids)
        entries = tracks[order[np.searchsorted(ids, cells.id, sorter=order)]]
        self._entries.append((entries, cells.key, cells.count))
        self._seen.append(np.unique(tracks))
        return tracks

    def close(self) -> None:
        """Finish the view, after its last image."""
        if self._frames:
            self.views.append(_merged(self._entries, self._seen))
        self._begin()

    def _begin(self) -> None:
        self._frames = self._steady = self._count = 0
        self._tracks: dict[int, list[int]] = {}  # by given id
        self._looks: dict[int, list[Int[np.ndarray, " k"]]] = {}  # cells of the last masks of each track
        self._entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._seen: list[Int[np.ndarray, " t"]] = []

    def _assigned(self, ids: Int[np.ndarray, " i"], cells: Cells) -> Int[np.ndarray, " i"]:
        order = np.argsort(cells.id, kind="stable")
        bounds = np.searchsorted(cells.id[order], np.stack([ids, ids + 1]))
        labelled, place = np.unique(cells.key, return_inverse=True)
        total = np.bincount(place, weights=cells.count).astype(np.float32)  # integers where there is nothing
        result = np.empty(len(ids), dtype=np.int64)
        for k, given in enumerate(ids.tolist()):
            mine = order[bounds[0, k] : bounds[1, k]]
            track = self._continued(given, cells.key[mine], cells.count[mine], labelled, total)
            if track is None:
                track = self._table.new(self._cluster, given)
                self._tracks.setdefault(given, []).append(track)
                self._count += 1
            if len(mine):
                self._looks[track] = [*self._looks.get(track, [])[1 - _RECENT :], cells.key[mine]]
            result[k] = track
        return result

    def _continued(
        self,
        given: int,
        key: Int[np.ndarray, " m"],
        count: Float[np.ndarray, " m"],
        labelled: Int[np.ndarray, " k"],
        total: Float[np.ndarray, " k"],
    ) -> int | None:
        """The track of this id that the mask lies on, None if it lies on none; a mask without depth has no say."""
        known = self._tracks.get(given, [])
        if known and (not self._check or not len(key)):
            return known[-1]
        best, best_share = None, _OVERLAP
        for track in known:
            looks = self._looks.get(track, [])
            if not looks:
                return track
            cells = np.unique(np.concatenate(looks))
            shared = float(count[np.isin(key, cells, assume_unique=True)].sum())
            visible = float(total[np.isin(labelled, cells, assume_unique=True)].sum())
            share = max(shared / float(count.sum()), shared / max(visible, 1.0))
            if len(key) < _SMALL and _near_share(key, cells) >= _NEAR:
                share = max(share, _OVERLAP)
            if share >= best_share:
                best, best_share = track, share
        return best


def _near_share(key: Int[np.ndarray, " m"], cells: Int[np.ndarray, " k"]) -> float:
    """Share of a mask's cells that lie in the blocks of cells of a track."""
    return float(np.isin(coarser_keys(key, _BLOCK), coarser_keys(cells, _BLOCK)).mean())


def _merged(entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]], seen: list[np.ndarray]) -> View:
    track, key, count = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    order = np.lexsort((key, track))
    track, key = track[order], key[order]
    first = np.flatnonzero(np.r_[True, (np.diff(track) != 0) | (np.diff(key) != 0)][: len(track)])
    total = np.add.reduceat(count[order], first) if len(first) else count
    pairs, frames = _side_by_side(seen)
    return View(track[first], key[first], total, pairs, frames)


def _side_by_side(seen: list[np.ndarray]) -> tuple[Int[np.ndarray, "s 2"], Int[np.ndarray, " s"]]:
    names, column = np.unique(np.concatenate(seen), return_inverse=True)
    present = np.zeros((len(seen), len(names)), dtype=np.float32)
    present[np.repeat(np.arange(len(seen)), [len(tracks) for tracks in seen]), column] = 1
    together = np.triu(present.T @ present, 1)
    first, second = np.nonzero(together)
    return np.stack([names[first], names[second]], axis=1), together[first, second].astype(np.int64)
