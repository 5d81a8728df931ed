"""Each loss term against arithmetic by hand, and its gradient in float64."""

import pytest
import torch

from s3d_splat.native import library
from s3d_splat.training import losses as module
from s3d_splat.training.losses import MaskMeans, depth_loss, image_loss, mask_means, pull_loss, push_loss, thinness_loss


@pytest.fixture(params=["kernel", "torch"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "torch":
        monkeypatch.setattr(module, "runs_native", lambda _: False)
    elif library.kernels() is None:
        pytest.skip("the kernels are not compiled")


def two_masks() -> tuple[torch.Tensor, torch.Tensor]:
    """A 2x3 view: mask 1 has features (0,0) and (2,0), mask 2 has (0,3) three times, one pixel has no mask."""
    features = torch.tensor([[[0.0, 0], [2, 0], [9, 9]], [[0, 3], [0, 3], [0, 3]]], dtype=torch.float64)
    labels = torch.tensor([[1, 1, 0], [2, 2, 2]], dtype=torch.int32)
    return features, labels


def means(**changes) -> MaskMeans:
    features, labels = two_masks()
    return mask_means(
        features, changes.get("labels", labels), changes.get("usable", labels >= 0), changes.get("min_pixels", 1)
    )


def test_mask_means_pull_and_centres_by_hand():
    masks = means()
    torch.testing.assert_close(masks.mean, torch.tensor([[1.0, 0], [0, 3]], dtype=torch.float64))
    torch.testing.assert_close(masks.pull, torch.tensor([(1 + 1) / 2, 0.0], dtype=torch.float64), atol=2e-6, rtol=0)
    torch.testing.assert_close(masks.centre, torch.tensor([[(0 + 1) / 2, 0], [(0 + 1 + 2) / 3, 1]], dtype=torch.float64))
    assert pull_loss(masks).item() == pytest.approx((1.0 + 0.0) / 2, abs=2e-6)


def test_small_and_unusable_masks_are_left_out():
    assert means(min_pixels=3).mean.tolist() == [[0.0, 3.0]]
    usable = torch.tensor([[True, False, True], [False, False, False]])
    assert means(usable=usable).mean.tolist() == [[0.0, 0.0]]


def test_no_masks_give_zero_losses_with_zero_gradient():
    features = torch.ones(2, 2, 3, requires_grad=True)
    masks = mask_means(features, torch.zeros(2, 2, dtype=torch.int32), torch.ones(2, 2, dtype=torch.bool), 1)
    loss = pull_loss(masks) + push_loss(masks, None)
    loss.backward()
    assert loss.item() == 0.0
    assert features.grad is not None
    assert features.grad.abs().max() == 0.0


def test_push_of_two_masks_by_hand():
    # One pair, so each is the other's nearest: w = 0.1 + 0.9 * 1 / 1 = 1; squared distance 1 + 9.
    expected = 2 * (1.0 / (10.0 + 1.0)) / (2 * 1)
    assert push_loss(means(), None).item() == pytest.approx(expected)


def test_push_weights_prefer_near_masks():
    # Three masks with equal features, on a line at x = 0, 1, 5: 1 / (0 + 1) each, so the loss is the mean weight, where each
    # row has one near mask, 0.1 + 0.9 * 2/2, and one far mask, 0.1 + 0.9 * 1/2.
    masks = MaskMeans(mean=torch.zeros(3, 2), pull=torch.zeros(3), centre=torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]))
    assert push_loss(masks, None).item() == pytest.approx((1.0 + 0.55) / 2)


def test_truncated_push_leaves_distant_pairs_alone():
    masks = MaskMeans(
        mean=torch.tensor([[0.0], [0.3], [0.9]]), pull=torch.zeros(3), centre=torch.tensor([[0.0, 0], [1, 0], [3, 0]])
    )
    # Only the pair at 0.3 is within 0.4; each is the other's nearest of two: w = 1. Six ordered pairs.
    assert push_loss(masks, 0.4).item() == pytest.approx(2 * (1.0 / (0.09 + 1.0)) / 6)


def test_numbering_of_the_masks_changes_nothing():
    torch.manual_seed(0)
    features = torch.rand(6, 8, 4, dtype=torch.float64)
    labels = torch.randint(0, 4, (6, 8), dtype=torch.int32)
    usable = torch.ones(6, 8, dtype=torch.bool)
    renamed = torch.tensor([0, 7, 5, 2], dtype=torch.int32)[labels.long()]
    first, second = (mask_means(features, image, usable, 1) for image in (labels, renamed))
    torch.testing.assert_close(pull_loss(first), pull_loss(second))
    torch.testing.assert_close(push_loss(first, 0.5), push_loss(second, 0.5))


def test_depth_loss_counts_given_and_opaque_pixels_only():
    depth = torch.tensor([[1.0, 2.0, 3.0]])
    target = torch.tensor([[1.5, 0.0, 9.0]])
    alpha = torch.tensor([[0.9, 0.9, 0.1]])
    assert depth_loss(depth, alpha, target, 0.7).item() == pytest.approx(0.5)
    assert depth_loss(depth, alpha * 0, target, 0.7).item() == 0.0


def test_image_loss_of_equal_images_is_zero_and_grows_with_the_difference():
    image = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert image_loss(image, image, 0.2).item() == pytest.approx(0.0, abs=1e-6)
    assert image_loss(image, image + 0.1, 0.0).item() == pytest.approx(0.1, abs=1e-6)


def test_gradients_of_the_feature_losses():
    features, labels = two_masks()
    features = features + torch.rand(features.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def loss(values: torch.Tensor) -> torch.Tensor:
        masks = mask_means(values, labels, labels >= 0, 1)
        return pull_loss(masks) + push_loss(masks, None)

    assert torch.autograd.gradcheck(loss, (features.requires_grad_(),))


def view(channels: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """More pixels than one thread takes, masks in bands, some pixels not usable."""
    generator = torch.Generator().manual_seed(channels)
    features = torch.rand(150, 130, channels, dtype=torch.float64, generator=generator)
    labels = (torch.arange(150)[:, None] // 20 * 3 + torch.arange(130)[None] // 50).int()
    return features, labels, torch.rand(150, 130, generator=generator) > 0.1


@pytest.mark.parametrize("channels", [1, 6, 9])
def test_kernel_and_torch_agree_on_masks_and_gradients(channels: int, monkeypatch: pytest.MonkeyPatch):
    features, labels, usable = view(channels)

    def found() -> tuple[torch.Tensor, ...]:
        values = features.clone().requires_grad_()
        masks = mask_means(values, labels, usable, 300)
        (gradient,) = torch.autograd.grad(pull_loss(masks) + push_loss(masks, 0.4), values)
        return masks.mean, masks.pull, masks.centre, gradient

    first = found()
    monkeypatch.setattr(module, "runs_native", lambda _: False)
    for ours, expected in zip(first, found(), strict=True):
        torch.testing.assert_close(ours, expected)


def test_threads_change_nothing():
    features, labels, usable = view(6)
    before = torch.get_num_threads()

    def found(threads: int) -> tuple[torch.Tensor, torch.Tensor]:
        torch.set_num_threads(threads)
        masks = mask_means(features.float(), labels, usable, 10)
        return masks.mean, masks.pull

    try:
        assert all(torch.equal(one, two) for one, two in zip(found(1), found(2), strict=True))
    finally:
        torch.set_num_threads(before)


def test_gradient_of_the_depth_loss():
    generator = torch.Generator().manual_seed(0)
    depth, target, alpha = (torch.rand(7, 5, dtype=torch.float64, generator=generator) for _ in range(3))
    target[0] = 0.0
    assert torch.autograd.gradcheck(lambda d: depth_loss(d, alpha, target, 0.3), depth.requires_grad_())


def test_gradient_of_the_image_loss_has_both_parts():
    generator = torch.Generator().manual_seed(0)
    image, target = (torch.rand(8, 9, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    assert torch.autograd.gradcheck(lambda i: image_loss(i, target, 0.2), image.requires_grad_())
    (gradient,) = torch.autograd.grad(image_loss(image, target, 0.0), image)
    torch.testing.assert_close(gradient, (image - target).sign() / image.numel())


def test_thinness_counts_what_axes_lack_in_log_units():
    # Of the first Gaussian one axis is e^2 and one e^1 times too short, the second is thick enough.
    log_scales = torch.tensor([[-3.0, -2.0, 0.0], [-0.9, -0.5, 4.0]], dtype=torch.float64, requires_grad=True)
    loss = thinness_loss(log_scales, torch.tensor(-1.0, dtype=torch.float64).exp().item())
    assert loss.item() == pytest.approx((2 + 1) / 2)
    loss.backward()
    assert log_scales.grad.tolist() == [[-0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]
    assert thinness_loss(torch.zeros(0, 3), 1.0).item() == 0.0
