"""Cameras: axes, projection and its inverse, the frustum, scaling."""

import math

import pytest
import torch

from s3d_splat.geometry.cameras import (
    is_in_view,
    opencv_from_opengl,
    opengl_from_opencv,
    project,
    ray_directions,
    scaled,
    unproject_depth,
)
from s3d_splat.types import Camera


def posed_camera(dtype: torch.dtype = torch.float64) -> Camera:
    """A camera at (1, 2, 3), turned by 30 degrees about the world's y axis."""
    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    pose = torch.eye(4, dtype=dtype)
    pose[:3, :3] = torch.tensor([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], dtype=dtype)
    pose[:3, 3] = torch.tensor([1.0, 2.0, 3.0], dtype=dtype)
    return Camera(pose, fx=50.0, fy=60.0, cx=19.0, cy=16.0, width=40, height=30)


def straight_camera() -> Camera:
    return Camera(torch.eye(4, dtype=torch.float64), fx=50.0, fy=60.0, cx=20.0, cy=15.0, width=40, height=30)


def test_opengl_axes_point_up_and_backward() -> None:
    pose = posed_camera().T_world_camera
    other = opengl_from_opencv(pose)
    assert torch.equal(other[:, 0], pose[:, 0])
    assert torch.equal(other[:3, 1], -pose[:3, 1])
    assert torch.equal(other[:3, 2], -pose[:3, 2])
    assert torch.equal(other[:, 3], pose[:, 3])
    assert torch.equal(opencv_from_opengl(other), pose)


def test_projection_by_hand() -> None:
    pixels, depth = project(torch.tensor([[0.4, -0.5, 2.0]], dtype=torch.float64), straight_camera())
    assert pixels[0].tolist() == pytest.approx([50 * 0.4 / 2 + 20, 60 * -0.5 / 2 + 15])
    assert depth.tolist() == [2.0]


def test_projection_uses_the_inverse_pose() -> None:
    camera = posed_camera()
    rotation = camera.T_world_camera[:3, :3]
    world = rotation @ torch.tensor([0.4, -0.5, 2.0], dtype=torch.float64) + camera.T_world_camera[:3, 3]
    pixels, depth = project(world[None], camera)
    assert pixels[0].tolist() == pytest.approx([50 * 0.2 + 19, 60 * -0.25 + 16])
    assert depth.item() == pytest.approx(2.0)


def test_unprojected_depth_projects_onto_the_pixel_centres() -> None:
    camera = posed_camera()
    depth = torch.rand(30, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5
    pixels, seen = project(unproject_depth(depth, camera).reshape(-1, 3), camera)
    rows, columns = torch.meshgrid(torch.arange(30) + 0.5, torch.arange(40) + 0.5, indexing="ij")
    torch.testing.assert_close(pixels, torch.stack([columns, rows], dim=-1).reshape(-1, 2).double())
    torch.testing.assert_close(seen, depth.reshape(-1))


def test_a_ray_is_one_metre_of_depth_long() -> None:
    camera = posed_camera()
    along_z = ray_directions(camera) @ camera.T_world_camera[:3, 2]
    torch.testing.assert_close(along_z, torch.ones_like(along_z))


def test_view_frustum() -> None:
    points = torch.tensor(
        [
            [0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0],  # behind
            [0.0, 0.0, 0.005],  # before the near plane
            [0.39, 0.0, 1.0],  # x = 39.5
            [0.41, 0.0, 1.0],  # x = 40.5, right of the image
            [0.0, -0.26, 1.0],  # y = -0.6, above it
        ],
        dtype=torch.float64,
    )
    assert is_in_view(points, straight_camera()).tolist() == [True, False, False, True, False, False]
    assert is_in_view(points, straight_camera(), margin=1.0).tolist() == [True, False, False, True, True, True]


def test_scaling_moves_pixels_by_the_factor() -> None:
    camera = posed_camera()
    half = scaled(camera, 0.5)
    assert (half.width, half.height) == (20, 15)
    point = torch.tensor([[1.3, 2.1, 5.0]], dtype=torch.float64)
    torch.testing.assert_close(project(point, half)[0], project(point, camera)[0] / 2)


def test_a_scaled_camera_still_fills_its_rounded_image() -> None:
    third = scaled(straight_camera(), 1 / 3)
    assert (third.width, third.height) == (13, 10)
    assert third.fx == pytest.approx(50 * 13 / 40)
    assert third.fy == pytest.approx(60 / 3)


def test_projection_is_differentiable() -> None:
    points = (torch.rand(4, 3, dtype=torch.float64) + torch.tensor([1.0, 2.0, 4.0])).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: project(p, posed_camera()), (points,))
