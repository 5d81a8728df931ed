"""What every rasterizer promises, on each that works here."""

from dataclasses import replace

import pytest
import torch

from s3d_splat.native.library import kernels
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.reference import ReferenceRasterizer
from s3d_splat.raster.registry import RASTERIZERS, make_rasterizer
from s3d_splat.types import Gaussians
from tests.raster.scenes import leaves, looking_camera, random_gaussians, random_loss, steady_pixels, tensors

NO_KERNELS = pytest.mark.skipif(kernels() is None, reason="the kernels are not compiled")
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
MARKS = {"reference": [], "cpu": [NO_KERNELS], "gsplat": [pytest.mark.gpu, NO_GPU]}
VARIANTS = [pytest.param(name, marks=MARKS[name], id=name) for name in RASTERIZERS]


@pytest.fixture(params=VARIANTS)
def rasterizer(request: pytest.FixtureRequest) -> Rasterizer:
    return make_rasterizer(RasterOptions(request.param))


def on(rasterizer: Rasterizer, gaussians: Gaussians) -> Gaussians:
    return Gaussians(**{name: value.to(rasterizer.device) for name, value in tensors(gaussians).items()})


CAMERA = looking_camera(48, 40, seed=11)
NOTHING = random_gaussians(0, CAMERA, features=2)
BEHIND = replace(
    random_gaussians(20, CAMERA, features=2),
    means=(CAMERA.T_world_camera[:3, 3] - 2 * CAMERA.T_world_camera[:3, 2]).float().expand(20, 3).contiguous(),
)


@pytest.mark.parametrize("features", [None, 6, 40])
@pytest.mark.parametrize("detached", [False, True])
def test_images_and_gradients_agree_with_the_reference(rasterizer: Rasterizer, features: int | None, detached: bool) -> None:
    gaussians = random_gaussians(200, CAMERA, features=features, seed=2, wild=False)
    expected_leaves, inputs = leaves(gaussians), leaves(on(rasterizer, gaussians))
    background = torch.tensor([0.1, 0.7, 0.3])
    expected = ReferenceRasterizer().render(expected_leaves, CAMERA, background=background, detach_feature_geometry=detached)
    view = rasterizer.render(inputs, CAMERA, background=background.to(rasterizer.device), detach_feature_geometry=detached)
    steady = steady_pixels(gaussians, CAMERA)
    for output in (expected, view):
        output.screen.means2d.retain_grad()
        random_loss(output, where=steady).backward()
    rim = 0.02 if rasterizer.name == "gsplat" else 1e-4  # gsplat cuts at three sigma
    for name in ("colour", "alpha", "features"):
        if getattr(expected, name) is not None:
            assert (getattr(view, name).cpu() - getattr(expected, name))[steady].abs().max() < rim
    share = 0.05 if rasterizer.name == "gsplat" else 1e-3
    for name, leaf in tensors(inputs).items():
        goal = tensors(expected_leaves)[name].grad
        assert (leaf.grad.cpu() - goal).abs().max() <= share * goal.abs().max()
    goal = expected.screen.means2d.grad
    assert (view.screen.means2d.grad.cpu() - goal).abs().max() <= share * goal.abs().max()


@pytest.mark.parametrize("gaussians", [NOTHING, BEHIND], ids=["nothing", "behind"])
def test_nothing_to_see_is_background_with_zero_gradients(rasterizer: Rasterizer, gaussians: Gaussians) -> None:
    inputs = leaves(on(rasterizer, gaussians))
    background = torch.tensor([0.1, 0.7, 0.3], device=rasterizer.device)
    view = rasterizer.render(inputs, CAMERA, background=background)
    assert torch.equal(view.colour, background.expand_as(view.colour))
    assert view.alpha.abs().sum() == view.depth.abs().sum() == view.features.abs().sum() == 0
    assert view.screen.radii.sum() == 0
    random_loss(view).backward()
    assert all(t.grad is None or bool((t.grad == 0).all()) for t in tensors(inputs).values())
    labels = torch.zeros(40, 48, dtype=torch.int64, device=rasterizer.device)
    assert len(rasterizer.lift(inputs, CAMERA, labels).weight) == 0
    ids = torch.zeros(len(inputs.means), dtype=torch.int64, device=rasterizer.device)
    winner, weight = rasterizer.vote(inputs, CAMERA, ids)
    assert bool((winner == -1).all())
    assert float(weight.sum()) == 0


def test_values_that_are_not_finite_are_not_drawn(rasterizer: Rasterizer) -> None:
    gaussians = random_gaussians(60, CAMERA, features=2, seed=3, wild=False)
    sick = Gaussians(**{name: value.clone() for name, value in tensors(gaussians).items()})
    sick.means[0], sick.log_scales[1, 1], sick.quaternions[2] = float("nan"), float("inf"), 0.0
    sick.opacities[3], sick.means[4, 2], sick.log_scales[5] = float("nan"), float("-inf"), 90.0
    inputs = leaves(on(rasterizer, sick))
    view = rasterizer.render(inputs, CAMERA)
    healthy = rasterizer.render(on(rasterizer, Gaussians(**{n: t[6:] for n, t in tensors(gaussians).items()})), CAMERA)
    torch.testing.assert_close(view.colour, healthy.colour)
    random_loss(view).backward()
    assert all(bool(torch.isfinite(t.grad).all()) for t in tensors(inputs).values())


def test_lifted_weights_are_the_alpha_of_the_image(rasterizer: Rasterizer) -> None:
    gaussians = on(rasterizer, random_gaussians(100, CAMERA, seed=4, wild=False))
    labels = (torch.arange(40 * 48, device=rasterizer.device).reshape(40, 48) % 3).to(torch.int32)
    lifted = rasterizer.lift(gaussians, CAMERA, labels)
    alpha = rasterizer.render(gaussians, CAMERA).alpha
    for label in range(3):
        torch.testing.assert_close(
            lifted.weight[lifted.label == label].sum(), alpha[labels == label].sum(), rtol=1e-4, atol=1e-3
        )
    pairs = lifted.gaussian * 3 + lifted.label
    assert bool((pairs[1:] > pairs[:-1]).all())


def test_a_vote_is_the_largest_rendered_channel(rasterizer: Rasterizer) -> None:
    gaussians = random_gaussians(100, CAMERA, seed=5, wild=False)
    ids = torch.arange(100) % 5
    one_hot = torch.nn.functional.one_hot(ids, 5).float()
    view = rasterizer.render(on(rasterizer, replace(gaussians, features=one_hot)), CAMERA)
    winner, weight = rasterizer.vote(on(rasterizer, gaussians), CAMERA, ids.to(rasterizer.device))
    highest, channel = view.features.max(dim=-1)
    torch.testing.assert_close(weight, highest, atol=1e-5, rtol=0)
    assert torch.equal(winner[highest > 0.01], channel[highest > 0.01])


def test_arguments_are_left_alone(rasterizer: Rasterizer) -> None:
    gaussians = on(rasterizer, random_gaussians(50, CAMERA, features=3, seed=6))
    before = {name: value.clone() for name, value in tensors(gaussians).items()}
    rasterizer.render(gaussians, CAMERA)
    rasterizer.vote(gaussians, CAMERA, torch.zeros(50, dtype=torch.int64, device=rasterizer.device))
    assert all(torch.equal(before[name], value) for name, value in tensors(gaussians).items())
