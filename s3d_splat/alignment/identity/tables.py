"""Ids, classes and scores of objects: what `instances.json` and `classes.json` will say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from s3d_splat.alignment.identity.tracks import TrackTable
from s3d_splat.errors import S3DError
from s3d_splat.types import ClassInfo, InstanceInfo

MAX_ID = 65535
_UNKNOWN = ClassInfo(1, "object", True)  # where nobody knows any class


@dataclass(frozen=True)
class TrackClasses:
    """The class of every track, as its cluster's table has it."""

    classes: tuple[ClassInfo, ...]  # ascending by id
    class_id: Int[np.ndarray, " t"]  # 0 = unknown
    is_stuff: Bool[np.ndarray, " t"]


def track_classes(table: TrackTable, tables: Sequence[Sequence[InstanceInfo]]) -> TrackClasses:
    """Look up every track; an id that its table lacks has no class.

    Raises:
        S3DError: two clusters give one class id different names or kinds.
    """
    rows = [{row.id: row for row in rows} for rows in tables]
    classes: dict[int, ClassInfo] = {}
    class_id = np.zeros(len(table.cluster), dtype=np.int64)
    for track, (cluster, given) in enumerate(zip(table.cluster, table.given_id, strict=True)):
        row = rows[cluster].get(given)
        if row is None or row.class_id == 0:
            continue
        entry = ClassInfo(row.class_id, row.class_name, row.is_thing)
        if classes.setdefault(row.class_id, entry) != entry:
            raise S3DError(
                f"cluster {cluster} calls class {row.class_id} {row.class_name!r}, another one something else",
                why="classes are the capture's own: one number means one class in every cluster, a thing or stuff",
                fix="make the instances.json of all clusters agree about class_id, class_name and is_thing",
            )
        class_id[track] = row.class_id
    stuff = [number for number, entry in classes.items() if not entry.is_thing]
    return TrackClasses(tuple(classes[number] for number in sorted(classes)), class_id, np.isin(class_id, stuff))


def numbered(group: Int[np.ndarray, " t"], classes: TrackClasses, weight: Int[np.ndarray, " t"]) -> Int[np.ndarray, " t"]:
    """The global id of every track: 1..K by first appearance, one for each stuff class, one for each group of things.

    With more than 65535 objects those with least weight (pixels) get 0.
    """
    code = np.where(classes.is_stuff, -classes.class_id, group)
    names, first, place = np.unique(code, return_index=True, return_inverse=True)
    total = np.bincount(place, weights=weight, minlength=len(names))
    kept = np.sort(np.argsort(-total, kind="stable")[:MAX_ID])
    ids = np.zeros(len(names), dtype=np.int32)
    ids[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return ids[place]


def instance_rows(
    ids: Int[np.ndarray, " t"], classes: TrackClasses, weight: Int[np.ndarray, " t"], scores: dict[int, float]
) -> tuple[tuple[InstanceInfo, ...], tuple[ClassInfo, ...]]:
    """Rows of all ids in `scores`, ascending: the class that most pixels of an object's masks vote for.

    Objects without any vote are of class "object", which is added to the classes if it is needed.
    """
    known = {entry.id: entry for entry in classes.classes}
    named = next((entry for entry in known.values() if entry.name == _UNKNOWN.name and entry.is_thing), None)
    spare = named or ClassInfo(max(known, default=0) + 1, _UNKNOWN.name, True)
    base = max(known, default=0) + 1
    ballots = np.bincount(ids * base + classes.class_id, weights=weight)
    ballots = np.pad(ballots, (0, -len(ballots) % base)).reshape(-1, base)
    ballots[:, 0] = 0
    rows, used = [], set()
    for number in sorted(scores):
        winner = int(ballots[number].argmax()) if base > 1 and ballots[number].any() else 0
        entry = known.get(winner, spare)
        used.add(entry)
        rows.append(InstanceInfo(number, entry.id, entry.name, entry.is_thing, round(scores[number], 4)))
    extra = (spare,) if spare in used and spare.id not in known else ()
    return tuple(rows), (*classes.classes, *extra)
