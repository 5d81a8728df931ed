"""Sums over the cells of a grid in space, held sparsely and merged as they come: memory grows with the surfaces alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int

from s3d_splat.geometry.voxels import voxel_keys

Keys = Int[np.ndarray, " n"]
Sums = Float[np.ndarray, "n 12"]

_WEIGHT, _POSITION, _VALUES, _NORMAL, _IMAGES = 0, slice(1, 4), slice(4, 8), slice(8, 11), 11
_PENDING = 1 << 20  # rows that wait to be merged, at least
_AXES = (1 << 42, 1 << 21, 1)  # what a key gains by a step of one cell along x, y, z
_NEIGHBOURS = tuple(
    sum(step * axis for step, axis in zip(steps, _AXES, strict=True)) for steps in product((-1, 0, 1), repeat=3)
)
_ALIKE = 0.7  # cosine of the angle between the normals of one surface


class VoxelTable:
    """Weighted sums of what images say of each cell. The columns of a row:

    0 weight; 1-3 weight * position; 4-6 weight * colour; 7 weight * trust; 8-10 weight * normal; 11 images.
    """

    def __init__(self, voxel: float, most: int) -> None:
        """`voxel` is the edge of a cell; with more than `most` cells it doubles until they fit."""
        self.voxel = voxel
        self._most = most
        self._keys: Keys = np.empty(0, dtype=np.int64)
        self._sums: Sums = np.empty((0, 12), dtype=np.float32)
        self._pending: list[tuple[Keys, Sums]] = []
        self._waiting = 0

    def add(
        self,
        positions: Float[np.ndarray, "n 3"],
        weights: Float[np.ndarray, " n"],
        values: Float[np.ndarray, "n 4"],
        normals: Float[np.ndarray, "n 3"],
    ) -> None:
        """Add the points of one image: colours and trust are the values; a normal of 0 is unknown."""
        share = weights[:, None].astype(np.float32)
        ones = np.ones_like(share)
        rows = np.concatenate([share, share * positions, share * values, share * normals, ones], axis=1, dtype=np.float32)
        keys, sums = _merged(voxel_keys(torch.from_numpy(positions), self.voxel).numpy(), rows)
        sums[:, _IMAGES] = 1
        self._pending.append((keys, sums))
        self._waiting += len(keys)
        if self._waiting >= max(_PENDING, len(self._keys) // 2):  # each merge costs as much as what it merges, in the mean
            self._merge()

    def rows(self) -> Sums:
        """The sums of every cell, in ascending order of the cells' keys (x, then y, then z)."""
        self._merge()
        return self._sums

    def settle(self) -> None:
        """Move every cell's mean along its normal onto the surface through it and the 26 cells around it, and merge again.

        Noise spreads a surface over several layers of cells; this brings them back to one. Cells without a normal stay where
        they are; cells whose normals differ by more than 45 degrees are of different surfaces.
        """
        self._merge()
        weight = self._sums[:, _WEIGHT]
        means = self._sums[:, _POSITION] / weight[:, None]
        length = np.linalg.norm(self._sums[:, _NORMAL], axis=1, keepdims=True)
        normals = self._sums[:, _NORMAL] / np.maximum(length, 1e-20)
        offset, total = np.zeros_like(weight), np.full_like(weight, 1e-30)
        for step in _NEIGHBOURS:
            wanted = self._keys + step
            other = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
            here = np.flatnonzero(self._keys[other] == wanted) if len(wanted) else other
            there = other[here]
            alike = np.einsum("ni,ni->n", normals[here], normals[there]) > _ALIKE
            here, there = here[alike], there[alike]
            offset[here] += weight[there] * np.einsum("ni,ni->n", normals[here], means[there] - means[here])
            total[here] += weight[there]
        sums = self._sums.copy()
        sums[:, _POSITION] += (offset / total * weight)[:, None] * normals
        self._keys, self._sums = self._regrouped(sums)

    def _merge(self) -> None:
        if not self._pending:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
        sums = np.concatenate([self._sums, *(sums for _, sums in self._pending)])
        self._pending, self._waiting = [], 0
        self._keys, self._sums = _merged(keys, sums)
        while len(self._keys) > self._most:
            self.voxel *= 2
            self._keys, self._sums = self._regrouped(self._sums)

    def _regrouped(self, sums: Sums) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 12"]]:
        """Rows put into the cells that their means lie in."""
        means = torch.from_numpy(sums[:, _POSITION] / sums[:, :1])
        return _merged(voxel_keys(means, self.voxel).numpy(), sums)


def _merged(keys: Keys, sums: Sums) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 12"]]:
    """The sums of equal keys, in ascending order of the keys; added in the order of the rows."""
    if len(keys) == 0:
        return keys, sums
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(sums[order], starts, axis=0)
