"""How close a rendered image is to the photograph: PSNR, SSIM and where its weights are present LPIPS, means over images.

Inside a mask only the mask counts: the prediction outside it is replaced by the truth first, and the mean runs over the
pixels of the mask (of the map of SSIM or LPIPS).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s3d_splat.metrics.perceptual import PerceptualDistance

PSNR_CEILING = 100.0  # dB; an exact copy has infinite PSNR, which no mean survives and JSON cannot hold


class ImageQuality:
    """Means over images of PSNR (data range 1) and SSIM (11 x 11 Gaussian window, sigma 1.5, data range 1), and LPIPS."""

    def __init__(self, perceptual: PerceptualDistance | None = None) -> None:
        """Args: perceptual: measures `lpips` as well, if given."""
        self.perceptual = perceptual
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        names = ("psnr", "ssim") if self.perceptual is None else ("psnr", "ssim", "lpips")
        self.sums = dict.fromkeys(names, 0.0)
        self.images = dict.fromkeys(names, 0)

    def update(
        self,
        prediction: Float[Tensor, "h w 3"],
        truth: Float[Tensor, "h w 3"],
        mask: Bool[Tensor, "h w"] | None = None,
    ) -> dict[str, float | None]:
        """Add one image (RGB in 0..1) and return its own values; a mask without a pixel has None, and does not count."""
        values: dict[str, float | None]
        if mask is None:
            values = {"psnr": psnr(prediction, truth), "ssim": ssim(prediction, truth)}
        else:
            values = {"psnr": psnr_inside(prediction, truth, mask), "ssim": ssim_inside(prediction, truth, mask)}
        if self.perceptual is not None:
            values["lpips"] = self.perceptual.distance(prediction, truth, mask)
        for name, value in values.items():
            if value is not None:
                self.sums[name] += value
                self.images[name] += 1
        return values

    def merge(self, other: ImageQuality) -> None:
        """Add what another accumulator of the same kind has seen."""
        for name in self.sums:
            self.sums[name] += other.sums[name]
            self.images[name] += other.images[name]

    def compute(self) -> dict[str, float | None]:
        """`psnr` (dB) and `ssim`, and `lpips` where it is measured; None without images."""
        return {name: value / self.images[name] if self.images[name] else None for name, value in self.sums.items()}


def psnr(prediction: Float[Tensor, "*n 3"], truth: Float[Tensor, "*n 3"]) -> float:
    """Peak signal-to-noise ratio in dB for values in 0..1: -10 log10 of the mean squared error, at most 100."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return min(float(peak_signal_noise_ratio(prediction, truth, data_range=1.0)), PSNR_CEILING)


def ssim(prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> float:
    """Structural similarity (Z. Wang et al., 2004) of images of at least 11 x 11 pixels, values in 0..1."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    value = structural_similarity_index_measure(_batch(prediction), _batch(truth), data_range=1.0)
    assert isinstance(value, Tensor)  # a pair only where the gradient or the full image is asked for
    return float(value)


def psnr_inside(
    prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"]
) -> float | None:
    """`psnr` of the pixels of a mask; None without any."""
    return psnr(prediction[mask], truth[mask]) if mask.any() else None


def ssim_inside(
    prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"]
) -> float | None:
    """Mean of the map of `ssim` over the pixels of a mask; None without any."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    composed = torch.where(mask[..., None], prediction, truth)
    _, full = structural_similarity_index_measure(_batch(composed), _batch(truth), data_range=1.0, return_full_image=True)
    return float(full[0].mean(dim=0)[mask].mean()) if mask.any() else None


def _batch(image: Float[Tensor, "h w 3"]) -> Float[Tensor, "1 3 h w"]:
    return image.permute(2, 0, 1)[None]
