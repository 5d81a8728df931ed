"""What pairs chain together."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor


def components(count: int, pairs: Int[Tensor, "m 2"]) -> Int[Tensor, " k"]:
    """The connected component (0, 1, ...) of each of `count` nodes, numbered by their lowest node."""
    left, right = pairs.numpy().T
    graph = coo_matrix((np.ones(len(pairs)), (left, right)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    first, inverse = np.unique(labels, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return torch.from_numpy(rank[inverse])
