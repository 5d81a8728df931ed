"""The reference rasterizer against numbers worked out by hand."""

import math

import pytest
import torch

from s3d_splat.raster.reference import ReferenceRasterizer
from s3d_splat.types import Camera, Gaussians
from tests.raster.scenes import looking_camera, random_gaussians, random_loss, tensors

CAMERA = Camera(
    torch.eye(4, dtype=torch.float64), 10.0, 10.0, 2.5, 2.5, 5, 5
)  # the optical axis meets the centre of pixel (2, 2)


def ball(depth: float, opacity: float, colour: tuple[float, float, float], scale: float = 0.2) -> list[torch.Tensor]:
    rows = ([0.0, 0.0, depth], [math.log(scale)] * 3, [1.0, 0.0, 0.0, 0.0], opacity, colour)
    return [torch.tensor(row, dtype=torch.float64) for row in rows]


def scene(*balls: list[torch.Tensor]) -> Gaussians:
    return Gaussians(*(torch.stack(columns) for columns in zip(*balls, strict=True)))


def test_one_ball_has_the_alpha_of_its_gaussian() -> None:
    view = ReferenceRasterizer().render(scene(ball(2.0, 0.8, (1.0, 0.5, 0.0))), CAMERA)
    variance = (10 * 0.2 / 2) ** 2 + 0.3
    assert view.alpha[2, 2].item() == pytest.approx(0.8)
    assert view.alpha[2, 4].item() == pytest.approx(0.8 * math.exp(-(2**2) / (2 * variance)))
    assert view.colour[2, 2].tolist() == pytest.approx([0.8, 0.4, 0.0])
    assert view.depth[2, 2].item() == pytest.approx(2.0)
    assert view.screen.means2d[0].tolist() == pytest.approx([2.5, 2.5])
    spread = variance + math.sqrt(0.01)  # the larger eigenvalue, with gsplat's floor under the root
    assert view.screen.radii[0].item() == math.ceil(3 * math.sqrt(spread))


def test_the_nearer_ball_is_in_front_whatever_the_order() -> None:
    near, far = ball(2.0, 0.6, (1.0, 0.0, 0.0)), ball(4.0, 0.5, (0.0, 1.0, 0.0))
    for gaussians in (scene(near, far), scene(far, near)):
        view = ReferenceRasterizer().render(gaussians, CAMERA, background=torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
        assert view.colour[2, 2].tolist() == pytest.approx([0.6, 0.4 * 0.5, 0.4 * 0.5])
        assert view.depth[2, 2].item() == pytest.approx((0.6 * 2 + 0.2 * 4) / 0.8)


def test_alpha_is_held_at_its_maximum_and_the_pixel_stops_before_transmittance_runs_out() -> None:
    balls = [ball(2.0 + i, 1.0, (float(i == 0), float(i == 1), 0.0), scale=3.0) for i in range(3)]
    view = ReferenceRasterizer().render(scene(*balls), CAMERA)
    # After the first: 1e-3 is left; the second would leave 1e-6, which is under 1e-4, so it is not drawn.
    assert view.alpha[2, 2].item() == pytest.approx(0.999)
    assert view.colour[2, 2].tolist() == pytest.approx([0.999, 0.0, 0.0])


def test_faint_pairs_are_skipped() -> None:
    view = ReferenceRasterizer().render(scene(ball(2.0, 1.01 / 255, (1.0, 1.0, 1.0))), CAMERA)
    assert view.alpha[2, 2].item() == pytest.approx(1.01 / 255)
    assert view.alpha.sum().item() == view.alpha[2, 2].item()


def test_gradients_are_those_of_finite_differences() -> None:
    camera = looking_camera(12, 9, seed=1)
    gaussians = random_gaussians(8, camera, features=2, seed=3, dtype=torch.float64, wild=False)
    names, values = zip(*tensors(gaussians).items(), strict=True)

    def loss(*inputs: torch.Tensor) -> torch.Tensor:
        return random_loss(ReferenceRasterizer().render(Gaussians(**dict(zip(names, inputs, strict=True))), camera))

    assert torch.autograd.gradcheck(loss, tuple(v.clone().requires_grad_() for v in values), atol=1e-4, rtol=1e-3)
