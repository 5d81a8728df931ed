"""Views: what some images of a cluster say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.alignment.identity.evidence import beside_evidence, objects_of, space_evidence
from s3d_splat.alignment.identity.tables import TrackTable
from s3d_splat.alignment.identity.values import View


@dataclass(frozen=True)
class Votes:
    """The masks of one image, by track; each (track, key) pair occurs at most once."""

    track: Int[np.ndarray, " m"]
    key: Int[np.ndarray, " m"]
    count: Float[np.ndarray, " m"]  # pixels
    seen: Int[np.ndarray, " t"]  # all tracks with a mask, with or without depth


def merged_view(votes: Sequence[Votes]) -> View:
    """Images of which a track is one object."""
    track, key, count = (np.concatenate([getattr(v, name) for v in votes]) for name in ("track", "key", "count"))
    order = np.lexsort((key, track))
    track, key = track[order], key[order]
    first = np.flatnonzero(np.r_[True, (np.diff(track) != 0) | (np.diff(key) != 0)][: len(track)])
    total = np.add.reduceat(count[order], first) if len(first) else count
    pairs, frames = _side_by_side([v.seen for v in votes])
    return View(track[first], key[first], total, pairs, frames)


def joined_view(votes: Sequence[Votes], table: TrackTable) -> View:
    """Images whose ids have nothing to do with each other: their masks are joined by what they have in common in space.

    The tracks that are joined become one in the table.
    """
    names = np.unique(np.concatenate([v.seen for v in votes]))
    single = [
        merged_view([Votes(np.searchsorted(names, v.track), v.key, v.count, np.searchsorted(names, v.seen))]) for v in votes
    ]
    evidence = [space_evidence(single, len(names)), beside_evidence(single, len(names), 1)]
    group = objects_of(single, evidence, table.class_ids()[names], table.stuff()[names])
    first = np.unique(group, return_index=True)[1]
    leader = names[first[group]]
    table.unite(names, leader)
    renamed = [
        Votes(leader[np.searchsorted(names, v.track)], v.key, v.count, np.unique(leader[np.searchsorted(names, v.seen)]))
        for v in votes
    ]
    return merged_view(renamed)


def _side_by_side(seen: list[np.ndarray]) -> tuple[Int[np.ndarray, "s 2"], Int[np.ndarray, " s"]]:
    names, column = np.unique(np.concatenate(seen), return_inverse=True)
    present = np.zeros((len(seen), len(names)), dtype=np.float32)
    present[np.repeat(np.arange(len(seen)), [len(tracks) for tracks in seen]), column] = 1
    together = np.triu(present.T @ present, 1)
    first, second = np.nonzero(together)
    return np.stack([names[first], names[second]], axis=1), together[first, second].astype(np.int64)
