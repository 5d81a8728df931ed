"""A hash grid over space: points that share a cell, and labelled sets of cells that touch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_BITS = 21  # of an int64 key for each axis: 2,097,152 cells
_HALF = 1 << (_BITS - 1)
_AXIS = (1 << _BITS) - 1
_STEPS = (0, 1 << (2 * _BITS), 1 << _BITS, 1)  # what a key gains by staying, or by one cell along x, y, z


def voxel_keys(points: Float[Tensor, "n 3"], size: float) -> Int[Tensor, " n"]:
    """One int64 key for each point's cell of a grid with edge `size` (metres), aligned with the origin.

    Two points have the same key exactly if they lie in the same cell [i size, (i + 1) size). Raises ValueError for a size
    that is not positive, and for points that are not finite or more than a million cells away from the origin.
    """
    if not size > 0:
        raise ValueError(f"the size of a voxel must be positive, got {size}")
    cells = torch.floor(points.double() / size)
    if not bool((cells.abs() < _HALF - 1).all()):
        raise ValueError(f"a point is not finite, or more than {_HALF - 2} voxels of {size} m away from the origin")
    x, y, z = (cells.long() + _HALF).unbind(-1)
    return (((x << _BITS) | y) << _BITS) | z


def coarser_keys(keys: Int[np.ndarray, " n"], factor: int) -> Int[np.ndarray, " n"]:
    """Keys of `voxel_keys` to those of blocks of `factor` cells along each axis: cells of one block get one key."""
    x, y, z = keys >> (2 * _BITS), (keys >> _BITS) & _AXIS, keys & _AXIS
    return (((x // factor << _BITS) | y // factor) << _BITS) | z // factor


def voxel_sample(points: Float[Tensor, "n 3"], size: float) -> Int[Tensor, " m"]:
    """Index of one point for every occupied voxel: the one nearest to the mean of the voxel's points.

    Equally near points: the lowest index. The result is in ascending order of voxel keys, so it does not depend on chance.
    """
    keys, cell = torch.unique(voxel_keys(points, size), return_inverse=True)
    exact = points.double()
    means = torch.zeros(len(keys), 3, dtype=torch.float64, device=points.device).index_add_(0, cell, exact)
    means = means / torch.bincount(cell, minlength=len(keys))[:, None]
    distance = (exact - means[cell]).square().sum(-1)
    by_distance = torch.argsort(distance, stable=True)
    order = by_distance[torch.argsort(cell[by_distance], stable=True)]
    first = torch.ones(len(order), dtype=torch.bool, device=points.device)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return order[first]


def touching_labels(points: Float[Tensor, "n 3"], labels: Int[Tensor, " n"], size: float) -> Int[Tensor, "m 2"]:
    """Pairs (i < j) of labels whose occupied voxels meet: the same voxel, or two that share a face (Manhattan distance 1).

    Points with a negative label count for nothing. Pairs are unique and in ascending order.
    """
    points, labels = points[labels >= 0], labels[labels >= 0].long()
    if len(points) == 0:
        return labels.new_zeros((0, 2))
    base = int(labels.max()) + 1
    cells, cell = torch.unique(voxel_keys(points, size), return_inverse=True)
    occupied = torch.unique(cell * base + labels)  # every (cell, label) once, by cell
    keys, owners = cells[occupied // base], occupied % base
    pairs = torch.unique(torch.cat([_pairs_at(keys, owners, step, base) for step in _STEPS]))
    return torch.stack((pairs // base, pairs % base), dim=1)


def _pairs_at(keys: Int[Tensor, " c"], owners: Int[Tensor, " c"], step: int, base: int) -> Int[Tensor, " m"]:
    """Codes `low * base + high` of the pairs of owners of the cells `key` and `key + step`; `keys` ascend."""
    first = torch.searchsorted(keys, keys + step)
    count = torch.searchsorted(keys, keys + step, right=True) - first
    source = torch.repeat_interleave(torch.arange(len(keys), device=keys.device), count)
    within = torch.arange(len(source), device=keys.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
    here, there = owners[source], owners[first[source] + within]
    codes = torch.minimum(here, there) * base + torch.maximum(here, there)
    return torch.unique(codes[here != there])
