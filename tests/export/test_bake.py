"""Colours that depend on the camera, baked to harmonics."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from s3d_splat.export.bake import bake, drawn, with_one_colour
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.harmonics import colours_seen
from s3d_splat.geometry.paths import look_at
from s3d_splat.raster.reference import ReferenceRasterizer
from s3d_splat.types import Camera, Gaussians
from tests.export.fabricated import silent, tiny_trained

MEANS = torch.tensor([[0.0, 0.0, 0.0], [0.3, 0.1, 0.2], [0.0, 0.0, 50.0]])  # no camera sees the last one


def cameras(count: int) -> list[Camera]:
    """Cameras all around the origin, 3 m away, 32 x 32 pixels."""
    generator = torch.Generator().manual_seed(3)
    places = 3 * normalize(torch.randn(count, 3, generator=generator), dim=1)
    poses = [look_at(place, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0])) for place in places]
    return [Camera(pose, 40.0, 40.0, 16.0, 16.0, 32, 32) for pose in poses]


def scene_of_colours(coefficients: torch.Tensor, opacity: float = 0.9) -> TrainedScene:
    """Three splats whose colours are these harmonics, seen from anywhere."""

    def decode(camera: Camera) -> Gaussians:
        colours = colours_seen(coefficients, MEANS, camera.T_world_camera[:3, 3])
        flat = torch.tensor([1.0, 0, 0, 0]).repeat(3, 1)
        return Gaussians(MEANS, torch.full((3, 3), -3.0), flat, torch.full((3,), opacity), colours)

    return replace(tiny_trained(), decode=decode, rasterizer=ReferenceRasterizer())


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_what_is_of_a_degree_is_found_again(degree: int):
    generator = torch.Generator().manual_seed(degree)
    true = 0.03 * torch.randn(3, (degree + 1) ** 2, 3, generator=generator)
    baked = bake(scene_of_colours(true), cameras(60), degree, silent)
    assert torch.allclose(baked.coefficients[:2], true[:2], atol=0.01)
    finer = bake(scene_of_colours(true), cameras(60), 3, silent)
    for camera in cameras(9):
        seen = baked.seen_from(camera).colours[:2]
        expected = scene_of_colours(true).decode(camera).colours[:2]
        assert torch.allclose(seen, expected, atol=0.005)
        assert torch.allclose(finer.seen_from(camera).colours[:2], expected, atol=0.005)


def test_what_no_camera_sees_has_the_mean_colour_from_everywhere():
    true = 0.2 * torch.randn(3, 9, 3, generator=torch.Generator().manual_seed(1))
    trained, around = scene_of_colours(true), cameras(20)
    mean = torch.stack([trained.decode(camera).colours for camera in around]).mean(0)
    baked = bake(trained, around, 2, silent)
    for camera in cameras(3):
        assert torch.allclose(baked.seen_from(camera).colours[2], mean[2], atol=1e-4)


def test_directions_from_which_nobody_looked_stay_near_the_colours_that_were_seen():
    """All cameras look from above, at a colour that changes quickly; from below nothing may come out of range."""
    true = 0.1 * torch.randn(3, 16, 3, generator=torch.Generator().manual_seed(5))
    trained = scene_of_colours(true)
    above = [camera for camera in cameras(60) if camera.T_world_camera[2, 3] > 1.5]
    below = [camera for camera in cameras(60) if camera.T_world_camera[2, 3] < -1.5]
    seen = torch.stack([trained.decode(camera).colours[:2] for camera in above])
    baked = bake(trained, above, 3, silent)
    for camera in below:
        colours = baked.seen_from(camera).colours[:2]
        assert (colours > seen.amin(0) - 0.5).all()
        assert (colours < seen.amax(0) + 0.5).all()


def test_views_may_come_in_any_order():
    true = 0.1 * torch.randn(3, 9, 3, generator=torch.Generator().manual_seed(2))
    around = cameras(15)
    first = bake(scene_of_colours(true), around, 2, silent)
    second = bake(scene_of_colours(true), around[::-1], 2, silent)
    assert torch.allclose(first.coefficients, second.coefficients, atol=1e-4)


def test_opacity_that_depends_on_the_view_becomes_its_mean():
    """0.8 from cameras with x < 0 and 0.9 from the others: two of five train cameras of the tiny scene are at x > 0."""
    trained = tiny_trained(view_dependent_opacity=True)
    train = [frame.camera for frame in trained.scene.frames if frame.split == "train"]
    middle = int((trained.anchor_positions - torch.tensor([0.0, 0.0, 3.0])).norm(dim=1).argmin())  # in every image
    assert bake(trained, train, 0, silent).opacities[middle].item() == pytest.approx((3 * 0.8 + 2 * 0.9) / 5)


def test_one_colour_is_the_same_from_everywhere():
    gaussians = scene_of_colours(torch.zeros(3, 1, 3)).decode(cameras(1)[0])
    colours = torch.tensor([[0.0, 0.5, 1.0]] * 3)
    for camera in cameras(2):
        assert torch.allclose(with_one_colour(gaussians, colours).seen_from(camera).colours, colours, atol=1e-6)


def test_what_is_fainter_than_one_step_of_colour_or_not_finite_is_never_drawn():
    gaussians = scene_of_colours(torch.zeros(3, 1, 3)).decode(cameras(1)[0])
    opacities = torch.tensor([0.0039, 0.0040, 1.0])  # 1/255 = 0.00392
    assert drawn(replace(gaussians, opacities=opacities)).tolist() == [False, True, True]
    for column in ("means", "log_scales", "quaternions"):
        broken = getattr(gaussians, column).clone()
        broken[2, 0] = -torch.inf
        assert drawn(replace(gaussians, **{column: broken})).tolist() == [True, True, False]


def test_a_scene_of_nothing_is_baked_to_nothing():
    nothing = Gaussians(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, 3))
    trained = replace(tiny_trained(), decode=lambda camera: nothing, rasterizer=ReferenceRasterizer())
    assert bake(trained, cameras(2), 2, silent).coefficients.shape == (0, 9, 3)
