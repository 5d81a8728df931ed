"""The visibility of anchors as a function on tensors."""

from __future__ import annotations

import ctypes

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s3d_splat.native.library import array, call, floating, threads


def spheres_inside(
    positions: Float[Tensor, "a 3"],
    log_extent: Float[Tensor, "a 3"],
    offsets: Float[Tensor, "a k 3"],
    log_scales: Float[Tensor, "a k 3"],
    sigmas: float,
    planes: Float[Tensor, "5 4"],
) -> Bool[Tensor, " a"]:
    """Is an anchor outside each plane by less than the radius of its children?

    The radius (metres) is |max |offset| * exp(log_extent)| + sigmas * exp(largest log scale); `planes` are float64, their
    product with (x, y, z, 1) is how far a point is outside.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit.
    """
    dtype, (count, children) = floating(positions.dtype), offsets.shape[:2]
    if children < 1:
        raise ValueError("an anchor has at least one child")
    inputs = [
        array(positions, "positions", (count, 3), dtype),
        array(log_extent, "log_extent", (count, 3), dtype),
        array(offsets, "offsets", (count, children, 3), dtype),
        array(log_scales, "log_scales", (count, children, 3), dtype),
    ]
    sizes = (ctypes.c_int64(count), ctypes.c_int64(children), ctypes.c_double(sigmas))
    sides = array(planes, "planes", (5, 4), torch.float64)
    inside = torch.empty(count, dtype=torch.bool)
    call("s3d_visible", dtype, *inputs, *sizes, sides, ctypes.c_void_p(inside.data_ptr()), threads())
    return inside
