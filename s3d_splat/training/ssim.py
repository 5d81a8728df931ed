"""Structural similarity (Wang et al., "Image quality assessment", 2004) as a loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from s3d_splat.native.library import kernels
from s3d_splat.native.ssim import ssim_and_gradient

_RADIUS, _SIGMA = 5, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"]) -> Float[Tensor, ""]:
    """Mean structural similarity of two images with values in 0..1; differentiable in the image.

    11 x 11 Gaussian window with sigma 1.5, borders reflected, mean over all pixels and channels: what torchmetrics'
    `structural_similarity_index_measure` gives for data range 1. No gradient flows to the target.

    Raises:
        ValueError: the sizes differ, or a side is under 6 pixels.
    """
    if image.shape != target.shape or min(image.shape[:2]) <= _RADIUS:
        raise ValueError(f"images of {tuple(image.shape)} and {tuple(target.shape)}: one size, sides of at least 6 pixels")
    if image.device.type == "cpu" and image.dtype in (torch.float32, torch.float64) and kernels() is not None:
        value: Tensor = _NativeSsim.apply(image, target.detach().to(image.dtype))
        return value
    return _torch_ssim(image, target.detach().to(image))


class _NativeSsim(torch.autograd.Function):
    """The gradient is made together with the value: it needs the same windows."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, target: Tensor) -> Tensor:
        value, gradient = ssim_and_gradient(image.contiguous(), target.contiguous(), with_gradient=ctx.needs_input_grad[0])
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return image.new_tensor(value)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        return ctx.saved_tensors[0] * outer[0], None


def _torch_ssim(image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"]) -> Float[Tensor, ""]:
    x, y = image.permute(2, 0, 1), target.permute(2, 0, 1)
    stack = torch.stack([x, y, x * x, y * y, x * y]).flatten(0, 1)[:, None]
    padded = pad(stack, (_RADIUS,) * 4, mode="reflect")
    taps = [math.exp(-0.5 * (k / _SIGMA) ** 2) for k in range(-_RADIUS, _RADIUS + 1)]
    window = torch.tensor(taps, dtype=image.dtype, device=image.device)
    window = window / window.sum()
    blurred = conv2d(conv2d(padded, window[None, None, :, None]), window[None, None, None, :])
    mean_x, mean_y, xx, yy, xy = blurred[:, 0].unflatten(0, (5, 3)).unbind(0)
    variances = (xx - mean_x**2).clamp(min=0) + (yy - mean_y**2).clamp(min=0)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * (xy - mean_x * mean_y) + _C2) / (variances + _C2)
    return (luminance * structure).mean()
