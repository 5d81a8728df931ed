"""How close a rendered image is to the photograph: PSNR and SSIM, means over images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

PSNR_CEILING = 100.0  # dB; an exact copy has infinite PSNR, which no mean survives and JSON cannot hold


class ImageQuality:
    """Means over images of PSNR (data range 1) and SSIM (11 x 11 Gaussian window, sigma 1.5, data range 1)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        self.sums = {"psnr": 0.0, "ssim": 0.0}
        self.images = 0

    def update(self, prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> dict[str, float]:
        """Add one image (RGB in 0..1) and return its own values."""
        values = {"psnr": psnr(prediction, truth), "ssim": ssim(prediction, truth)}
        self.sums = {name: self.sums[name] + value for name, value in values.items()}
        self.images += 1
        return values

    def merge(self, other: ImageQuality) -> None:
        """Add what another accumulator has seen."""
        self.sums = {name: value + other.sums[name] for name, value in self.sums.items()}
        self.images += other.images

    def compute(self) -> dict[str, float | None]:
        """`psnr` (dB) and `ssim`; None without images."""
        return {name: value / self.images if self.images else None for name, value in self.sums.items()}


def psnr(prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> float:
    """Peak signal-to-noise ratio in dB for values in 0..1: -10 log10 of the mean squared error, at most 100."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return min(float(peak_signal_noise_ratio(prediction, truth, data_range=1.0)), PSNR_CEILING)


def ssim(prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> float:
    """Structural similarity (Z. Wang et al., 2004) of images of at least 11 x 11 pixels, values in 0..1."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    first, second = (image.permute(2, 0, 1)[None] for image in (prediction, truth))
    value = structural_similarity_index_measure(first, second, data_range=1.0)
    assert isinstance(value, Tensor)  # a pair only where the gradient or the full image is asked for
    return float(value)
