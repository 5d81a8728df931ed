"""The loss terms, each a pure function of what was rendered and what was observed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.native.library import runs_native
from s3d_splat.training.mask_kernel import native_depth_loss, native_mask_means
from s3d_splat.training.ssim import weighted_similarity


def image_loss(
    image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"], dssim: float, mask: Bool[Tensor, "h w"] | None = None
) -> Float[Tensor, ""]:
    """(1 - dssim) L1 + dssim (1 - SSIM), as 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7).

    With a mask, a mean over its pixels: the others are black in both images, which costs nothing and has no gradient. Only
    the windows of SSIM that reach over its border see that black, in both images alike. 0 for an empty mask.
    """
    if mask is None:
        return dssim + weighted_similarity(image, target, -dssim, 1.0 - dssim)
    kept = mask[..., None].expand_as(image).to(image.dtype)  # a product of whole arrays: a third of the time of a choice
    total = dssim + weighted_similarity(image * kept, target * kept, -dssim, 1.0 - dssim)
    return total * (mask.numel() / mask.sum().clamp(min=1))


def depth_loss(
    depth: Float[Tensor, "h w"], alpha: Float[Tensor, "h w"], target: Float[Tensor, "h w"], min_alpha: float
) -> Float[Tensor, ""]:
    """Mean |rendered - given| depth in metres, over pixels that have a given depth and are opaque enough; 0 if none are."""
    if runs_native(depth):
        return native_depth_loss(depth, alpha, target, min_alpha)
    counted = (target > 0) & (alpha.detach() > min_alpha)
    return ((depth - target).abs() * counted).sum() / counted.sum().clamp(min=1)


def thinness_loss(log_scales: Float[Tensor, "n 3"], limit: float) -> Float[Tensor, ""]:
    """Mean over the Gaussians of the sum over their axes (sigma, metres) of max(0, log(limit / sigma)).

    From where the cameras stand a disc looks the same however thin it is, so that nothing else keeps it from becoming
    thinner than its place is known: then it no longer holds the surface that it draws. 0 without Gaussians.
    """
    return (math.log(limit) - log_scales).clamp(min=0.0).sum() / max(len(log_scales), 1)


@dataclass(frozen=True)
class MaskMeans:
    """The masks of one view as the feature map sees them: rows are masks, in the order of their labels."""

    mean: Float[Tensor, "m c"]
    pull: Float[Tensor, " m"]  # mean distance of a mask's pixels to its mean feature
    centre: Float[Tensor, "m 2"]  # mean pixel (x, y)


def mask_means(
    features: Float[Tensor, "h w c"], labels: Int[Tensor, "h w"], usable: Bool[Tensor, "h w"], min_pixels: int
) -> MaskMeans:
    """Mean feature, spread and centre of every mask with at least `min_pixels` usable pixels (label 0 is no mask).

    InstanceGaussian, eq. 4: the pull of mask j is mean_{p in j} |F_p - mean_j| (L2 norm).
    """
    if runs_native(features):
        return MaskMeans(*native_mask_means(features, labels, usable, min_pixels))
    flat = labels.reshape(-1).long()
    index = ((flat > 0) & usable.reshape(-1)).nonzero()[:, 0]
    label = flat[index]
    size = torch.bincount(label)
    kept = size >= max(min_pixels, 1)
    row = torch.cumsum(kept, 0) - 1
    chosen = kept[label]
    index, label = index[chosen], row[label[chosen]]
    count = int(kept.sum())
    pixels = size[kept].to(features.dtype)[:, None]
    value = features.reshape(-1, features.shape[-1]).index_select(0, index)
    mean = value.new_zeros(count, value.shape[1]).index_add(0, label, value) / pixels
    # The 1e-12 keeps the gradient of the norm finite for a pixel that equals its mean.
    distance = ((value - mean.index_select(0, label)).square().sum(-1) + 1e-12).sqrt()
    pull = value.new_zeros(count).index_add(0, label, distance) / pixels[:, 0]
    width = labels.shape[1]
    position = torch.stack([index % width, index // width], -1).to(value.dtype)
    centre = value.new_zeros(count, 2).index_add(0, label, position) / pixels
    return MaskMeans(mean, pull, centre)


def pull_loss(masks: MaskMeans) -> Float[Tensor, ""]:
    """Mean over the masks of how far their pixels are from their mean feature (InstanceGaussian, eq. 4); 0 without masks."""
    return masks.pull.sum() / max(masks.pull.numel(), 1)


def push_loss(masks: MaskMeans, truncate: float | None) -> Float[Tensor, ""]:
    """1 / (m (m - 1)) sum_{i != j} w_ij / (|m_i - m_j|^2 + 1): masks of one view repel (InstanceGaussian, eq. 5).

    w_ij = 0.1 + 0.9 rank / (m - 1), where rank orders the other masks from the furthest on the screen (1) to the nearest
    (m - 1), so that neighbours repel most. With `truncate`, a pair whose mean features are further apart than that (L2) has
    w = 0. 0 for fewer than two masks.
    """
    count = masks.mean.shape[0]
    if count < 2:
        return masks.mean.sum() * 0.0
    squared = (masks.mean[:, None] - masks.mean[None]).square().sum(-1)
    screen = torch.cdist(masks.centre[None], masks.centre[None], compute_mode="donot_use_mm_for_euclid_dist")[0]
    screen = screen.fill_diagonal_(torch.inf)
    rank = torch.argsort(torch.argsort(screen, dim=1, descending=True, stable=True), dim=1, stable=True)
    weight = 0.1 + 0.9 * rank.to(squared.dtype) / (count - 1)
    weight = weight.fill_diagonal_(0.0)
    if truncate is not None:
        weight = weight * (squared.detach() <= truncate**2)
    return (weight / (squared + 1.0)).sum() / (count * (count - 1))
