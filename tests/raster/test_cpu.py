"""The compiled rasterizer against the reference: images, every gradient, votes and lifted labels."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from s3d_splat.native.library import kernels
from s3d_splat.raster.cpu import CpuRasterizer, project_gaussians, rasterize_2d
from s3d_splat.raster.reference import ReferenceRasterizer, rendering_weights
from s3d_splat.types import Gaussians
from tests.raster.scenes import leaves, looking_camera, random_gaussians, random_loss, steady_pixels, tensors

pytestmark = pytest.mark.skipif(kernels() is None, reason="the kernels are not compiled")


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("features", "detached"), [(None, False), (1, False), (5, True), (6, False), (12, False), (60, True), (64, False)]
)
def test_images_and_gradients_equal_the_reference(features: int | None, detached: bool, dtype: torch.dtype) -> None:
    seed = 3 * (features or 0)
    camera = looking_camera(seed=seed)
    gaussians = random_gaussians(400, camera, features=features, seed=seed, dtype=dtype)
    background = torch.tensor([0.2, 0.5, 0.9], dtype=dtype)
    expected_leaves, leaves_here = leaves(gaussians, torch.float64), leaves(gaussians)
    expected = ReferenceRasterizer().render(
        expected_leaves, camera, background=background.double(), detach_feature_geometry=detached
    )
    view = CpuRasterizer().render(leaves_here, camera, background=background, detach_feature_geometry=detached)
    steady = steady_pixels(gaussians, camera)
    assert steady.float().mean() > 0.6
    for output in (expected, view):
        output.screen.means2d.retain_grad()
        random_loss(output, where=steady).backward()

    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    for name in ("colour", "alpha", "depth", "features"):
        if getattr(expected, name) is not None:
            found, goal = getattr(view, name).double()[steady], getattr(expected, name)[steady]
            torch.testing.assert_close(found, goal, atol=tolerance, rtol=0)
    assert torch.equal(view.screen.radii > 0, expected.screen.radii > 0)
    assert 50 < int((view.screen.radii > 0).sum()) < 400
    for name, leaf in tensors(leaves_here).items():
        assert_same_gradient(leaf.grad, tensors(expected_leaves)[name].grad, 1e-3 if dtype == torch.float32 else 1e-8)
    assert_same_gradient(view.screen.means2d.grad, expected.screen.means2d.grad, 1e-3 if dtype == torch.float32 else 1e-8)


def assert_same_gradient(found: torch.Tensor | None, expected: torch.Tensor | None, relative: float) -> None:
    assert found is not None
    assert expected is not None
    assert (found.double() - expected).abs().max() <= relative * expected.abs().max()


def test_gradients_are_those_of_finite_differences() -> None:
    camera = looking_camera(20, 18, seed=2)  # more than one tile
    gaussians = random_gaussians(8, camera, features=2, seed=5, dtype=torch.float64, wild=False)
    names, values = zip(*tensors(gaussians).items(), strict=True)

    def loss(*inputs: torch.Tensor) -> torch.Tensor:
        return random_loss(CpuRasterizer().render(Gaussians(**dict(zip(names, inputs, strict=True))), camera))

    assert torch.autograd.gradcheck(loss, tuple(v.clone().requires_grad_() for v in values), atol=1e-4, rtol=1e-3)


def test_background_has_a_gradient_too() -> None:
    camera = looking_camera()
    gaussians = random_gaussians(50, camera)
    background = torch.rand(3, requires_grad=True)
    view = CpuRasterizer().render(gaussians, camera, background=background)
    view.colour.sum().backward()
    torch.testing.assert_close(background.grad, (1 - view.alpha).sum().expand(3))


@pytest.mark.usefixtures("one_thread")
def test_bit_for_bit_the_same_on_any_number_of_threads() -> None:
    camera = looking_camera(160, 120)
    gaussians = random_gaussians(6000, camera, features=6)
    labels = torch.arange(120 * 160).reshape(120, 160) // 97 % 7
    results = []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        inputs = leaves(gaussians)
        view = CpuRasterizer().render(inputs, camera)
        random_loss(view).backward()
        lifted = CpuRasterizer().lift(gaussians, camera, labels)
        results.append([view.colour, view.features, *(t.grad for t in tensors(inputs).values()), lifted.weight])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ids", [1, 9, 300])
def test_votes_equal_the_reference(ids: int, dtype: torch.dtype) -> None:
    camera = looking_camera(70, 50, seed=ids)
    gaussians = random_gaussians(600, camera, seed=ids, dtype=dtype)
    of_each = torch.arange(600) * 7 % (ids + 1) - 1
    expected, expected_weight = ReferenceRasterizer().vote(gaussians, camera, of_each)
    winner, weight = CpuRasterizer().vote(gaussians, camera, of_each)
    torch.testing.assert_close(weight, expected_weight, atol=1e-5, rtol=0)
    assert (winner != expected).float().mean() < 0.002  # equal but for ties
    assert set(winner.unique().tolist()) <= {-1, *range(ids)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("labels", [1, 5, 400])
def test_lifted_labels_equal_the_reference(labels: int, dtype: torch.dtype) -> None:
    camera = looking_camera(70, 50, seed=labels)
    gaussians = random_gaussians(300, camera, seed=labels, dtype=dtype)
    image = torch.arange(50 * 70).reshape(50, 70) * 31 // 11 % (labels + 1) - 1
    expected, found = ReferenceRasterizer().lift(gaussians, camera, image), CpuRasterizer().lift(gaussians, camera, image)
    assert torch.equal(found.gaussian, expected.gaussian)
    assert torch.equal(found.label, expected.label)
    torch.testing.assert_close(found.weight, expected.weight, atol=1e-5, rtol=1e-4)


def test_rasterize_2d_composites_what_it_is_given() -> None:
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(40, 2, generator=generator, dtype=torch.float64) * torch.tensor([40.0, 20.0])
    root = torch.randn(40, 2, 2, generator=generator, dtype=torch.float64)
    precision = torch.linalg.inv(root @ root.mT * 9 + 0.3 * torch.eye(2, dtype=torch.float64))
    conics = torch.stack([precision[:, 0, 0], precision[:, 0, 1], precision[:, 1, 1]], dim=-1)
    opacities, features = torch.rand(40, dtype=torch.float64), torch.rand(40, 7, dtype=torch.float64)
    depths = torch.rand(40, dtype=torch.float64) - 0.5  # any order, negative too
    image, alpha = rasterize_2d(means, conics, opacities, features, depths, 40, 20)
    order = torch.argsort(depths)
    y, x = torch.meshgrid(torch.arange(20.0) + 0.5, torch.arange(40.0) + 0.5, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).reshape(-1, 2).double()
    weights = rendering_weights(means[order], conics[order], opacities[order], pixels)
    torch.testing.assert_close(image.reshape(-1, 7), weights @ features[order])
    torch.testing.assert_close(alpha.reshape(-1), weights.sum(1))
    as_float = [t.float().requires_grad_() for t in (means, conics, opacities, features)]
    image, alpha = rasterize_2d(*as_float, depths.float(), 40, 20)
    (image.sum() + alpha.sum()).backward()
    assert all(t.grad is not None and torch.isfinite(t.grad).all() for t in as_float)


def test_long_thin_gaussians_keep_their_digits() -> None:
    camera = looking_camera(256, 64, seed=4)
    gaussians = random_gaussians(60, camera, seed=4, wild=False)
    thin = replace(gaussians, log_scales=torch.tensor([1.5, -9.0, -9.0]).expand(60, 3).contiguous())
    expected = ReferenceRasterizer().render(leaves(thin, torch.float64), camera)
    view = CpuRasterizer().render(thin, camera)
    assert (view.colour.double() - expected.colour).abs().mean() < 1e-4


def test_projection_alone_equals_the_reference() -> None:
    from s3d_splat.raster import reference

    camera = looking_camera(seed=7)
    gaussians = random_gaussians(300, camera, seed=7, dtype=torch.float64)
    for found, expected in zip(project_gaussians(gaussians, camera), reference.project(gaussians, camera), strict=True):
        torch.testing.assert_close(found, expected)
