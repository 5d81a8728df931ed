"""Points of space that carry votes for ids; points of one cell are one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.geometry.voxels import coarser_keys

_PENDING = 1 << 21  # votes kept apart before they are merged: memory follows the surface, not the number of images
_BLOCK = 3  # cells


class IdVotes:
    """A set of cells, each with the weight of every id that was voted for there."""

    def __init__(self) -> None:
        self._key = np.zeros(0, dtype=np.int64)
        self._id = np.zeros(0, dtype=np.int32)
        self._weight = np.zeros(0, dtype=np.float32)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._count = 0

    def add(self, key: Int[np.ndarray, " m"], ids: Int[np.ndarray, " m"], weight: Float[np.ndarray, " m"]) -> None:
        """Votes for ids (1..65535) in cells."""
        self._waiting.append((key, ids.astype(np.int32), weight.astype(np.float32)))
        self._count += len(key)
        if self._count >= _PENDING:
            self._merge()

    def winners(self, key: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The id with most weight in each cell; in a cell without votes that of the block of cells around it, 0 without any.

        Of equals the lowest.
        """
        self._merge()
        found = _heaviest(self._key, self._id, self._weight, key)
        bare = np.flatnonzero(found == 0)
        found[bare] = _heaviest(coarser_keys(self._key, _BLOCK), self._id, self._weight, coarser_keys(key[bare], _BLOCK))
        return found

    def _merge(self) -> None:
        if not self._waiting:
            return
        parts = zip((self._key, self._id, self._weight), *self._waiting, strict=True)
        key, ids, weight = (np.concatenate(column) for column in parts)
        order = np.lexsort((ids, key))
        key, ids = key[order], ids[order]
        first = np.flatnonzero(np.r_[True, (np.diff(key) != 0) | (np.diff(ids) != 0)][: len(key)])
        self._key, self._id = key[first], ids[first]
        self._weight = np.add.reduceat(weight[order], first) if len(first) else weight
        self._waiting, self._count = [], 0


def _heaviest(
    cells: Int[np.ndarray, " v"], ids: Int[np.ndarray, " v"], weight: Float[np.ndarray, " v"], key: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """The id with the largest sum of weights in each cell of `key`, 0 in cells without votes."""
    if not len(cells):
        return np.zeros(len(key), dtype=np.int32)
    pairs, place = np.unique(np.stack([cells, ids]), axis=1, return_inverse=True)
    total = np.bincount(place.ravel(), weights=weight)
    order = np.lexsort((pairs[1], -total, pairs[0]))
    first = order[np.flatnonzero(np.r_[True, np.diff(pairs[0, order]) != 0])]
    known = pairs[0, first]
    at = np.minimum(np.searchsorted(known, key), len(known) - 1)
    return np.where(known[at] == key, pairs[1, first][at], 0).astype(np.int32)
