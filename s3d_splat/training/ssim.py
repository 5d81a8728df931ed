"""Structural similarity (Wang et al., "Image quality assessment", 2004) and absolute difference as a loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from s3d_splat.native.library import runs_native
from s3d_splat.native.ssim import similarity

_RADIUS, _SIGMA = 5, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"]) -> Float[Tensor, ""]:
    """Mean structural similarity of two images with values in 0..1; differentiable in the image.

    11 x 11 Gaussian window with sigma 1.5, borders reflected, mean over all pixels and channels: what torchmetrics'
    `structural_similarity_index_measure` gives for data range 1. No gradient flows to the target.

    Raises:
        ValueError: the sizes differ, or a side is under 6 pixels.
    """
    return weighted_similarity(image, target, 1.0, 0.0)


def weighted_similarity(
    image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"], similar: float, different: float
) -> Float[Tensor, ""]:
    """similar * SSIM + different * mean |image - target|, in one pass over the images; differentiable in the image.

    Raises:
        ValueError: as `ssim`.
    """
    if image.shape != target.shape or min(image.shape[:2]) <= _RADIUS:
        raise ValueError(f"images of {tuple(image.shape)} and {tuple(target.shape)}: one size, sides of at least 6 pixels")
    target = target.detach().to(image)
    if runs_native(image):
        value: Tensor = _NativeSimilarity.apply(image, target, (similar, different))
        return value
    return similar * _torch_ssim(image, target) + different * (image - target).abs().mean()


class _NativeSimilarity(torch.autograd.Function):
    """The gradient is made together with the value: it needs the same windows."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, target: Tensor, weights: tuple[float, float]) -> Tensor:
        wanted = weights if ctx.needs_input_grad[0] else None
        found, gradient = similarity(image.contiguous(), target.contiguous(), weights=wanted)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return image.new_tensor(weights[0] * found.ssim + weights[1] * found.absolute)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        return ctx.saved_tensors[0] * outer[0], None, None


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
