"""Nearest neighbours in space."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor


def nearest_neighbours(
    queries: Float[Tensor, "n d"], points: Float[Tensor, "m d"], count: int, radius: float = float("inf")
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Distances to and indices of the `count` points nearest to each query, nearest first.

    Where fewer than `count` points lie within `radius` the distance is infinite and the index -1.
    """
    if len(queries) == 0 or len(points) == 0:
        shape = (len(queries), count)
        return queries.new_full(shape, float("inf")), torch.full(shape, -1, dtype=torch.int64, device=queries.device)
    tree = cKDTree(points.detach().cpu().numpy())
    # A list of ranks keeps the result two-dimensional for a single neighbour; scipy reports "none" as index m.
    distance, index = tree.query(
        queries.detach().cpu().numpy(), k=np.arange(1, count + 1), distance_upper_bound=radius, workers=2
    )
    index = np.where(np.isfinite(distance), index, -1)
    return (
        torch.from_numpy(distance).to(queries),
        torch.from_numpy(index.astype(np.int64)).to(queries.device),
    )
