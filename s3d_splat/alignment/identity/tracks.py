"""Tracks: the masks of one given id in successive images of a cluster, as long as they lie on each other in space.

Images of a cluster are taken together as a view, as long as most of their ids go on: in a view one id is, with few
exceptions, one object, and no two ids are. A view is what votes: where its tracks disagree about a cell, the one with most
pixels there has it. Where ids go on in no image (every image was segmented by itself) the masks of some images are joined
first, and what comes out is the view.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.alignment.identity.tables import TrackTable
from s3d_splat.alignment.identity.values import Cells
from s3d_splat.alignment.identity.views import View, Votes, joined_view, merged_view
from s3d_splat.geometry.voxels import coarser_keys

_VIEW_FRAMES = 50
_LOOSE_FRAMES = 12  # of a view whose ids do not go on: each of its images is compared with each other one
_GOING_ON = 0.5  # of the labelled pixels carry ids that the view knows, or its ids have been drawn anew
_STEADY_FRAMES = 3  # a view whose ids went on for so long is closed when they stop
_RECENT = 3  # looks that a mask is compared with
_SMALL = 30  # cells: masks that may miss each other by the noise of their borders
_NEAR = 0.4  # of such a mask must then lie in the track's blocks of cells
_BLOCK = 3  # cells
_OVERLAP = 0.1  # of the mask or of the track, or the id may be on another object
_TAKEN = 0.3  # of the mask lies where other ids were: it is on another object
_REACH = 24  # cells: the edge of the blocks in which the other side of an object is looked for


class ClusterTracks:
    """Joins the masks of one cluster, image by image in the order of time, to tracks, and tracks to views."""

    def __init__(self, cluster: int, table: TrackTable, *, check_space: bool) -> None:
        """`check_space`: split an id where its masks do not lie on each other, and join masks of images whose ids do not
        go on; else ids are taken at their word."""
        self._cluster, self._table, self._check = cluster, table, check_space
        self.views: list[View] = []
        self._steady = self._loose = 0
        self._begin()

    def add(self, ids: Int[np.ndarray, " i"], sizes: Int[np.ndarray, " i"], cells: Cells) -> Int[np.ndarray, " i"]:
        """The track of each id of the next image; `sizes` are the pixels of its mask."""
        known = np.isin(ids, np.fromiter(self._tracks, np.int64, len(self._tracks)))
        goes_on = float(sizes[known].sum()) >= _GOING_ON * float(sizes.sum())
        if self._votes and (self._is_full() or (not goes_on and self._steady >= _STEADY_FRAMES)):
            self.close()
        self._steady = self._steady + 1 if goes_on else 0
        self._loose += bool(self._votes) and not goes_on
        tracks = self._assigned(ids, cells)
        order = np.argsort(ids)
        entries = tracks[order[np.searchsorted(ids, cells.id, sorter=order)]]
        self._votes.append(Votes(entries, cells.key, cells.count, np.unique(tracks)))
        return tracks

    def close(self) -> None:
        """Finish the view, after its last image."""
        if self._votes:
            is_loose = self._check and 2 * self._loose >= len(self._votes)
            self.views.append(joined_view(self._votes, self._table) if is_loose else merged_view(self._votes))
        self._begin()

    def _is_full(self) -> bool:
        return len(self._votes) >= (_LOOSE_FRAMES if 2 * self._loose >= len(self._votes) else _VIEW_FRAMES)

    def _begin(self) -> None:
        self._steady = self._loose = 0
        self._tracks: dict[int, list[int]] = {}  # by given id
        self._looks: dict[int, list[Int[np.ndarray, " k"]]] = {}  # cells of the last masks of each track
        self._votes: list[Votes] = []

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
        """The track of this id that the mask lies on or goes on, None if it lies elsewhere; a mask without depth has no say.

        A mask beside its track, where no other id was, shows another side of the object.
        """
        known = self._tracks.get(given, [])
        if known and (not self._check or not len(key)):
            return known[-1]
        best, best_share = None, _OVERLAP
        for track in known:
            looks = self._looks.get(track, [])
            if not looks:
                return track
            cells = np.unique(np.concatenate(looks))
            shared = float(count[_found(key, cells)].sum())
            visible = float(total[_found(labelled, cells)].sum())
            share = max(shared / float(count.sum()), shared / max(visible, 1.0))
            if len(key) < _SMALL and _near_share(key, cells, _BLOCK) >= _NEAR:
                share = max(share, _OVERLAP)
            if share >= best_share:
                best, best_share = track, share
        if best is None and known and not self._lies_elsewhere(known, key, count):
            return known[-1]
        return best

    def _lies_elsewhere(self, known: list[int], key: Int[np.ndarray, " m"], count: Float[np.ndarray, " m"]) -> bool:
        """Whether a mask lies where other tracks were, or in a place where its own never was."""
        own = np.unique(np.concatenate([look for track in known for look in self._looks[track]]))
        others = [look for track, looks in self._looks.items() if track not in known for look in looks]
        taken = np.isin(key, np.concatenate(others)) if others else np.zeros(len(key), dtype=bool)
        return float(count[taken].sum()) > _TAKEN * float(count.sum()) or _near_share(key, own, _REACH) == 0


def _found(key: Int[np.ndarray, " m"], cells: Int[np.ndarray, " k"]) -> Bool[np.ndarray, " m"]:
    """Which keys are among ascending cells, as a mask (several times faster than `numpy.isin`, which sorts)."""
    return cells[np.minimum(np.searchsorted(cells, key), len(cells) - 1)] == key


def _near_share(key: Int[np.ndarray, " m"], cells: Int[np.ndarray, " k"], block: int) -> float:
    """Share of a mask's cells that lie in the blocks (`block` cells long) of cells of a track."""
    return float(np.isin(coarser_keys(key, block), coarser_keys(cells, block)).mean())
