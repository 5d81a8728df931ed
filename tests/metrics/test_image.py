"""PSNR and SSIM."""

import math

import pytest
import torch

from s3d_splat.metrics.image import ImageQuality, psnr, psnr_inside, ssim, ssim_inside


def test_psnr_by_hand() -> None:
    truth = torch.full((4, 5, 3), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(-10 * math.log10(0.1**2), abs=1e-4)
    assert psnr(truth, truth) == 100.0


def test_ssim_of_flat_images() -> None:
    # without variance only the luminance term is left: (2 a b + c1) / (a^2 + b^2 + c1), c1 = (0.01 * 1)^2
    a, b, c1 = 0.5, 0.6, 0.01**2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim(torch.full((16, 16, 3), a), torch.full((16, 16, 3), b)) == pytest.approx(expected, abs=1e-4)


def test_ssim_knows_structure() -> None:
    image = torch.rand(24, 24, 3, generator=torch.Generator().manual_seed(0))
    assert ssim(image, image) == pytest.approx(1.0)
    assert ssim(image.flip(0), image) < 0.3


def test_means_over_images() -> None:
    truth = torch.full((16, 16, 3), 0.5)
    whole, left, right = ImageQuality(), ImageQuality(), ImageQuality()
    first, second = whole.update(truth + 0.1, truth), whole.update(truth + 0.2, truth)
    assert whole.compute()["psnr"] == pytest.approx((first["psnr"] + second["psnr"]) / 2)
    left.update(truth + 0.1, truth)
    right.update(truth + 0.2, truth)
    left.merge(right)
    assert left.compute() == pytest.approx(whole.compute())
    whole.reset()
    assert whole.compute() == {"psnr": None, "ssim": None}


def test_only_what_is_inside_the_mask_counts() -> None:
    generator = torch.Generator().manual_seed(1)
    truth, noise = torch.rand(24, 30, 3, generator=generator), torch.rand(24, 30, 3, generator=generator)
    mask = torch.zeros(24, 30, dtype=torch.bool)
    mask[6:16, 6:20] = True
    spoilt = torch.where(mask[..., None], truth, noise)  # wrong outside alone
    metric = ImageQuality()
    assert metric.update(spoilt, truth, mask) == pytest.approx({"psnr": 100.0, "ssim": 1.0})
    half = torch.where(mask[..., None], truth + 0.1, noise)
    assert psnr_inside(half, truth, mask) == pytest.approx(-10 * math.log10(0.1**2), abs=1e-3)
    assert ssim_inside(noise, truth, mask) == pytest.approx(ssim_inside(half.where(~mask[..., None], noise), truth, mask))


def test_a_mask_of_everything_is_no_mask() -> None:
    generator = torch.Generator().manual_seed(2)
    truth, other = torch.rand(2, 24, 30, 3, generator=generator)
    everything = torch.ones(24, 30, dtype=torch.bool)
    assert psnr_inside(other, truth, everything) == pytest.approx(psnr(other, truth))
    assert ssim_inside(other, truth, everything) == pytest.approx(ssim(other, truth), abs=1e-6)


def test_a_mask_of_nothing_does_not_count() -> None:
    image = torch.rand(24, 30, 3)
    metric = ImageQuality()
    assert metric.update(image, image, torch.zeros(24, 30, dtype=torch.bool)) == {"psnr": None, "ssim": None}
    assert metric.compute() == {"psnr": None, "ssim": None}
