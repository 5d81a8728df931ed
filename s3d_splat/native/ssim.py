"""The kernel that compares two images, as a function on tensors."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from s3d_splat.native.library import array, call, floating, threads


class Similarity(NamedTuple):
    """Means over all pixels and channels."""

    ssim: float
    absolute: float  # |image - target|
    squared: float  # (image - target)^2


def similarity(
    image: Float[Tensor, "h w c"], target: Float[Tensor, "h w c"], *, weights: tuple[float, float] | None
) -> tuple[Similarity, Float[Tensor, "h w c"] | None]:
    """How alike two images are, and with weights the gradient of weights[0] ssim + weights[1] absolute in the image.

    Window and borders as in `training.ssim`; sides of at least 6 pixels. |x| has the gradient 0 at 0.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit.
    """
    dtype, (rows, columns, channels) = floating(image.dtype), image.shape
    if rows < 6 or columns < 6 or channels < 1 or image.numel() >= 2**31:
        raise ValueError(f"the structural similarity of {rows} x {columns} pixels is not defined: sides are at least 6")
    inputs = (array(image, "image", image.shape, dtype), array(target, "target", image.shape, dtype))
    values = (ctypes.c_double * 3)()
    gradient = maps = None
    if weights is not None:
        gradient, maps = image.new_empty(image.shape), image.new_empty(3, *image.shape)
    outputs = [None if t is None else ctypes.c_void_p(t.data_ptr()) for t in (maps, gradient)]
    factors = [ctypes.c_double(w) for w in weights or (0.0, 0.0)]
    call("s3d_ssim", dtype, *inputs, rows, columns, channels, *factors, values, *outputs, threads())
    return Similarity(*values), gradient
