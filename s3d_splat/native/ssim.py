"""The structural-similarity kernel as a function on tensors."""

from __future__ import annotations

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.native.library import array, call, floating, threads


def ssim_and_gradient(
    image: Float[Tensor, "h w c"], target: Float[Tensor, "h w c"], *, with_gradient: bool
) -> tuple[float, Float[Tensor, "h w c"] | None]:
    """The mean structural similarity and, if wanted, its gradient with respect to the image.

    Window and borders as in `training.ssim`; sides of at least 6 pixels.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit.
    """
    dtype, (rows, columns, channels) = floating(image.dtype), image.shape
    if rows < 6 or columns < 6 or channels < 1 or image.numel() >= 2**31:
        raise ValueError(f"the structural similarity of {rows} x {columns} pixels is not defined: sides are at least 6")
    inputs = (array(image, "image", image.shape, dtype), array(target, "target", image.shape, dtype))
    value = ctypes.c_double()
    gradient = maps = None
    if with_gradient:
        gradient, maps = torch.empty_like(image), image.new_empty(3, *image.shape)
    outputs = [None if t is None else ctypes.c_void_p(t.data_ptr()) for t in (maps, gradient)]
    call("s3d_ssim", dtype, *inputs, rows, columns, channels, ctypes.byref(value), *outputs, threads())
    return value.value, gradient
