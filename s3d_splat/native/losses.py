"""The loss kernels as functions on tensors: values and what their gradients need."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.native.library import array, call, floating, threads


class MaskSums(NamedTuple):
    """What is known of the masks of one view, in the order of their labels, and what the gradient needs of it."""

    mean: Float[Tensor, "m c"]
    pull: Float[Tensor, " m"]  # mean distance of a mask's pixels to its mean
    centre: Float[Tensor, "m 2"]  # mean pixel (x, y)
    size: Float[Tensor, " m"]  # pixels
    slope: Float[Tensor, "m c"]  # mean unit vector from the mean to the pixels
    inverse_distance: Float[Tensor, "h w"]  # of a pixel to the mean of its mask; arbitrary outside the masks
    row: Int[Tensor, " labels"]  # of each label, int32, -1 = left out


def depth_difference(
    depth: Float[Tensor, "h w"], alpha: Float[Tensor, "h w"], target: Float[Tensor, "h w"], min_alpha: float
) -> tuple[float, Float[Tensor, "h w"]]:
    """Mean |depth - target| over pixels with a target and alpha above `min_alpha`, and its gradient in the depth.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit.
    """
    dtype, shape = floating(depth.dtype), depth.shape
    inputs = [array(t, n, shape, dtype) for t, n in ((depth, "depth"), (alpha, "alpha"), (target, "target"))]
    value, gradient = ctypes.c_double(), torch.empty_like(depth)
    count = ctypes.c_int64(depth.numel())
    out = array(gradient, "gradient", shape, dtype)
    call("s3d_depth_loss", dtype, *inputs, count, ctypes.c_double(min_alpha), ctypes.byref(value), out, threads())
    return value.value, gradient


def mask_sums(
    features: Float[Tensor, "h w c"], labels: Int[Tensor, "h w"], usable: Bool[Tensor, "h w"], min_pixels: int
) -> MaskSums:
    """Means, spreads and centres of the masks with at least `min_pixels` usable pixels; `labels` are int32, 0 = no mask.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit.
    """
    dtype, (height, width, channels) = floating(features.dtype), features.shape
    if height * width >= 2**31:
        raise ValueError(f"{height} x {width} pixels are more than the kernels can number")
    highest = max(int(labels.max()), 0) if labels.numel() else 0
    new, m = features.new_empty, highest
    sums = MaskSums(
        mean=new(m, channels),
        pull=new(m),
        centre=new(m, 2),
        size=new(m),
        slope=new(m, channels),
        inverse_distance=new(height, width),
        row=torch.empty(highest + 1, dtype=torch.int32),
    )
    masks = ctypes.c_int32()
    *outputs, row = (ctypes.c_void_p(t.data_ptr()) for t in sums)
    smallest = ctypes.c_int64(max(min_pixels, 1))
    given = _pixels(features, labels, usable)
    call("s3d_mask_means", dtype, *given, ctypes.c_int32(highest), smallest, row, ctypes.byref(masks), *outputs, threads())
    mean, pull, centre, size, slope = (t[: masks.value] for t in sums[:5])
    return MaskSums(mean, pull, centre, size, slope, sums.inverse_distance, sums.row)


def mask_sums_backward(
    features: Float[Tensor, "h w c"],
    labels: Int[Tensor, "h w"],
    usable: Bool[Tensor, "h w"],
    sums: MaskSums,
    d_mean: Float[Tensor, "m c"],
    d_pull: Float[Tensor, " m"],
) -> Float[Tensor, "h w c"]:
    """The gradient of the features from those of mean and pull."""
    dtype, (masks, channels) = floating(features.dtype), sums.mean.shape
    kept = [
        array(sums.mean, "mean", (masks, channels), dtype),
        array(sums.size, "size", (masks,), dtype),
        array(sums.slope, "slope", (masks, channels), dtype),
        array(sums.inverse_distance, "inverse_distance", labels.shape, dtype),
    ]
    row = array(sums.row, "row", sums.row.shape, torch.int32)
    incoming = [array(d_mean, "d_mean", (masks, channels), dtype), array(d_pull, "d_pull", (masks,), dtype)]
    d_features = torch.empty_like(features)
    out = array(d_features, "d_features", features.shape, dtype)
    given, highest = _pixels(features, labels, usable), ctypes.c_int32(len(sums.row) - 1)
    call("s3d_mask_means_backward", dtype, *given, highest, row, ctypes.c_int32(masks), *kept, *incoming, out, threads())
    return d_features


def _pixels(features: Tensor, labels: Tensor, usable: Tensor) -> tuple[object, ...]:
    height, width, channels = features.shape
    return (
        array(features, "features", features.shape, features.dtype),
        channels,
        array(labels, "labels", (height, width), torch.int32),
        array(usable, "usable", (height, width), torch.bool),
        ctypes.c_int64(height * width),
        ctypes.c_int64(width),
    )
