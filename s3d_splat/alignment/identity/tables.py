"""Ids, classes and scores of objects: what `instances.json` and `classes.json` will say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from s3d_splat.errors import S3DError
from s3d_splat.types import ClassInfo, InstanceInfo

MAX_ID = 65535
_UNKNOWN = ClassInfo(1, "object", True)  # where nobody knows any class


class TrackTable:
    """All tracks of a capture: the cluster, the given id and the class of each, and which were found to be one."""

    def __init__(self, tables: Sequence[Sequence[InstanceInfo]]) -> None:
        """`tables`: per cluster, what its ids mean.

        Raises:
            S3DError: two clusters give one class id different names or kinds.
        """
        self.classes = _classes(tables)  # ascending by id
        self._class_of = [{row.id: row.class_id for row in rows} for rows in tables]
        self._class_id: list[int] = []
        self._united: list[int] = []

    def __len__(self) -> int:
        return len(self._class_id)

    def new(self, cluster: int, given_id: int) -> int:
        """The number of a new track; an id that its cluster's table lacks has no class."""
        self._class_id.append(self._class_of[cluster].get(given_id, 0))
        self._united.append(len(self._united))
        return len(self._united) - 1

    def unite(self, tracks: Int[np.ndarray, " n"], leaders: Int[np.ndarray, " n"]) -> None:
        """Each track becomes one with its leader, which is its own leader."""
        for track, leader in zip(tracks.tolist(), leaders.tolist(), strict=True):
            self._united[track] = leader

    def leaders(self) -> Int[np.ndarray, " t"]:
        """The track that each one has become one with (itself, if with none)."""
        return np.array(self._united, dtype=np.int64)

    def class_ids(self) -> Int[np.ndarray, " t"]:
        """The class of each track, 0 = unknown."""
        return np.array(self._class_id, dtype=np.int64)

    def stuff(self) -> Bool[np.ndarray, " t"]:
        """Which tracks are of a stuff class."""
        return np.isin(self.class_ids(), [entry.id for entry in self.classes if not entry.is_thing])


def _classes(tables: Sequence[Sequence[InstanceInfo]]) -> tuple[ClassInfo, ...]:
    classes: dict[int, ClassInfo] = {}
    for cluster, rows in enumerate(tables):
        for row in rows:
            entry = ClassInfo(row.class_id, row.class_name, row.is_thing)
            if row.class_id and classes.setdefault(row.class_id, entry) != entry:
                raise S3DError(
                    f"cluster {cluster} calls class {row.class_id} {row.class_name!r}, another one something else",
                    why="classes are the capture's own: one number means one class in every cluster, a thing or stuff",
                    fix="make the instances.json of all clusters agree about class_id, class_name and is_thing",
                )
    return tuple(classes[number] for number in sorted(classes))


def numbered(group: Int[np.ndarray, " t"], weight: Int[np.ndarray, " t"]) -> Int[np.ndarray, " t"]:
    """The global id of every track: 1..K by first appearance, one for each group.

    With more than 65535 groups those with least weight (pixels) get 0.
    """
    names, first, place = np.unique(group, return_index=True, return_inverse=True)
    total = np.bincount(place, weights=weight, minlength=len(names))
    kept = np.sort(np.argsort(-total, kind="stable")[:MAX_ID])
    ids = np.zeros(len(names), dtype=np.int32)
    ids[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return ids[place]


def instance_rows(
    ids: Int[np.ndarray, " t"], table: TrackTable, weight: Int[np.ndarray, " t"], scores: dict[int, float]
) -> tuple[tuple[InstanceInfo, ...], tuple[ClassInfo, ...]]:
    """Rows of all ids in `scores`, ascending: the class that most pixels of an object's masks vote for.

    Objects without any vote are of class "object", which is added to the classes if it is needed.
    """
    known = {entry.id: entry for entry in table.classes}
    named = next((entry for entry in known.values() if entry.name == _UNKNOWN.name and entry.is_thing), None)
    spare = named or ClassInfo(max(known, default=0) + 1, _UNKNOWN.name, True)
    base = max(known, default=0) + 1
    ballots = np.bincount(ids * base + table.class_ids(), weights=weight)
    ballots = np.pad(ballots, (0, -len(ballots) % base)).reshape(-1, base)
    ballots[:, 0] = 0
    rows, used = [], set()
    for number in sorted(scores):
        winner = int(ballots[number].argmax()) if base > 1 and ballots[number].any() else 0
        entry = known.get(winner, spare)
        used.add(entry)
        rows.append(InstanceInfo(number, entry.id, entry.name, entry.is_thing, round(scores[number], 4)))
    extra = (spare,) if spare in used and spare.id not in known else ()
    return tuple(rows), (*table.classes, *extra)
