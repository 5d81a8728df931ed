"""Masks of one image, numbered by what they are and not by what they are called."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


def canonical_masks(labels: Int[Tensor, "h w"]) -> tuple[Int[Tensor, "h w"], Int[Tensor, " m"]]:
    """The same masks as 1, 2, ... in the order in which a raster scan meets them, and the id that each one had.

    0 stays 0. What works on the result cannot tell how the ids of the frame were chosen, nor compare them between frames.
    """
    ids, first, inverse = np.unique(labels.cpu().numpy(), return_index=True, return_inverse=True)
    scan = np.argsort(first)
    scan = scan[ids[scan] != 0]
    number = np.zeros(len(ids), dtype=np.int32)
    number[scan] = np.arange(1, len(scan) + 1)
    canonical = torch.from_numpy(number[inverse].reshape(labels.shape)).to(labels.device)
    return canonical, torch.from_numpy(ids[scan].astype(np.int64)).to(labels.device)
