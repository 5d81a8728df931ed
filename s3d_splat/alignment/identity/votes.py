"""Points of space that carry votes for ids; points of one cell are one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_PENDING = 1 << 21  # votes kept apart before they are merged: memory follows the surface, not the number of images
_MAX_ID = 1 << 16


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

    def winners(self, key: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """The id with most weight in each cell (the lowest of equals, 0 in a cell without votes), and its weight."""
        self._merge()
        order = np.lexsort((self._id, -self._weight, self._key))
        first = order[np.flatnonzero(np.r_[True, np.diff(self._key[order]) != 0][: len(order)])]
        known = self._key[first]
        if not len(known):
            return np.zeros(len(key), np.int32), np.zeros(len(key), np.float32)
        place = np.minimum(np.searchsorted(known, key), len(known) - 1)
        found = known[place] == key
        return np.where(found, self._id[first][place], 0), np.where(found, self._weight[first][place], 0)

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
