"""Structural similarity: kernel, torch and torchmetrics agree."""

import pytest
import torch

from s3d_splat.native.library import kernels
from s3d_splat.training import ssim as module
from s3d_splat.training.ssim import ssim


@pytest.fixture(params=["kernel", "torch"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "torch":
        monkeypatch.setattr(module, "runs_native", lambda _: False)
    elif kernels() is None:
        pytest.skip("the kernels are not compiled")


def pair(height: int, width: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(height)
    target = torch.rand(height, width, 3, generator=generator, dtype=dtype)
    image = (target + 0.2 * torch.randn(height, width, 3, generator=generator, dtype=dtype)).clamp(0, 1)
    image[:4, :4] = target[:4, :4] = 0.5  # no variance
    return image.requires_grad_(), target


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("size", [(6, 7), (11, 30), (50, 37)])
def test_value_and_gradient_are_those_of_torchmetrics(size: tuple[int, int]) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    image, target = pair(*size, torch.float64)
    value = ssim(image, target)
    (gradient,) = torch.autograd.grad(3 * value, image)
    expected = structural_similarity_index_measure(
        image.permute(2, 0, 1)[None], target.permute(2, 0, 1)[None], data_range=1.0
    )
    (expected_gradient,) = torch.autograd.grad(3 * expected, image)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.usefixtures("_way")
def test_float32_and_other_layouts() -> None:
    image, target = pair(20, 30, torch.float32)
    turned = image.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0)
    torch.testing.assert_close(ssim(turned, target), ssim(image, target))
    assert ssim(target, target).item() == pytest.approx(1.0)


@pytest.mark.usefixtures("_way")
def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 6"):
        ssim(torch.rand(5, 9, 3), torch.rand(5, 9, 3))
