"""The losses over pixels as compiled kernels behind autograd functions."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.native.losses import MaskSums, depth_difference, mask_sums, mask_sums_backward


def native_depth_loss(
    depth: Float[Tensor, "h w"], alpha: Float[Tensor, "h w"], target: Float[Tensor, "h w"], min_alpha: float
) -> Float[Tensor, ""]:
    """As `training.losses.depth_loss`."""
    loss: Tensor = _DepthLoss.apply(depth, alpha.detach().contiguous(), target.detach().to(depth).contiguous(), min_alpha)
    return loss


def native_mask_means(
    features: Float[Tensor, "h w c"], labels: Int[Tensor, "h w"], usable: Bool[Tensor, "h w"], min_pixels: int
) -> tuple[Float[Tensor, "m c"], Float[Tensor, " m"], Float[Tensor, "m 2"]]:
    """As `training.losses.mask_means`: means, pulls and centres of the masks."""
    mean, pull, centre = _MaskMeans.apply(features, labels.to(torch.int32).contiguous(), usable.contiguous(), min_pixels)
    return mean, pull, centre


class _DepthLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, depth: Tensor, alpha: Tensor, target: Tensor, min_alpha: float) -> Tensor:
        value, gradient = depth_difference(depth.contiguous(), alpha, target, min_alpha)
        ctx.save_for_backward(gradient)
        return depth.new_tensor(value)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.saved_tensors[0] * outer[0], None, None, None


class _MaskMeans(torch.autograd.Function):
    """With d_j a pixel's distance to the mean of its mask j of n_j pixels, pull_j = mean d_j moves the mean too:

    d pull_j / d F_p = (F_p - mean_j) / (n_j d_p) - slope_j / n_j, where slope_j is the mean of (F_p - mean_j) / d_p.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, labels: Tensor, usable: Tensor, min_pixels: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        features = features.contiguous()
        sums = mask_sums(features, labels, usable, min_pixels)
        ctx.save_for_backward(features, labels, usable, *sums)
        ctx.mark_non_differentiable(sums.centre)
        return sums.mean, sums.pull, sums.centre

    @staticmethod
    def backward(ctx: Any, d_mean: Tensor, d_pull: Tensor, _centre: Tensor) -> tuple[Tensor, None, None, None]:
        features, labels, usable, *sums = ctx.saved_tensors
        incoming = (d_mean.contiguous(), d_pull.contiguous())
        return mask_sums_backward(features, labels, usable, MaskSums(*sums), *incoming), None, None, None
