"""Camera conversion: the same pixel looks along the same ray of the same world, in both conventions."""

import dataclasses
from pathlib import Path

import pytest
import torch
from nerfstudio.cameras.cameras import CameraType

from nerfstudio_plugin.cameras import from_nerfstudio, stored_cameras, to_nerfstudio
from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import project, ray_directions
from s3d_splat.types import Camera, Frame, Lens


def camera(width: int = 6, height: int = 4) -> Camera:
    """At (1, 2, 3), turned by 90 degrees about the vertical: looks along the world's x axis."""
    pose = torch.tensor([[0.0, 0, 1, 1], [0, 1, 0, 2], [-1, 0, 0, 3], [0, 0, 0, 1]])
    return Camera(T_world_camera=pose, fx=5.0, fy=5.5, cx=2.75, cy=2.25, width=width, height=height)


def test_there_and_back_changes_nothing():
    there = to_nerfstudio([camera(), camera(8, 5)])
    assert there.shape == (2,)
    back = from_nerfstudio(there[1:2])
    assert torch.equal(back.T_world_camera, camera().T_world_camera)
    assert (back.fx, back.fy, back.cx, back.cy, back.width, back.height) == (5.0, 5.5, 2.75, 2.25, 8, 5)


def test_rays_through_pixel_centres_agree_with_nerfstudio():
    ours = ray_directions(camera())
    rays = to_nerfstudio([camera()]).generate_rays(camera_indices=0, keep_shape=True)
    torch.testing.assert_close(rays.directions, ours / ours.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(rays.origins, camera().T_world_camera[:3, 3].expand(4, 6, 3))


def test_a_world_point_along_nerfstudios_ray_projects_to_that_pixel():
    rays = to_nerfstudio([camera()]).generate_rays(camera_indices=0, keep_shape=True)
    point = rays.origins[3, 5] + 2.5 * rays.directions[3, 5]
    pixels, depths = project(point[None], from_nerfstudio(to_nerfstudio([camera()])))
    torch.testing.assert_close(pixels, torch.tensor([[5.5, 3.5]]))
    assert depths[0] > 0


def test_stored_cameras_carry_the_lens():
    lens = Lens(fx=4.0, fy=4.5, cx=3.0, cy=2.0, k1=0.1, k2=0.01, p1=0.001, p2=0.002)
    files = {"image_path": Path("a.png"), "depth_path": None, "instance_path": None, "semantic_path": None}
    plain = Frame(file_path="a.png", camera=camera(), split="train", lens=None, **files)
    cameras = stored_cameras([plain, dataclasses.replace(plain, lens=lens)])
    assert cameras.fx[:, 0].tolist() == [5.0, 4.0]
    expected = torch.tensor([[0.0] * 6, [0.1, 0.01, 0.0, 0.0, 0.001, 0.002]])
    torch.testing.assert_close(cameras.distortion_params, expected)


def test_a_lens_that_cannot_be_rendered_is_refused():
    fisheye = to_nerfstudio([camera()])
    fisheye.camera_type = torch.full_like(fisheye.camera_type, CameraType.FISHEYE.value)
    with pytest.raises(S3DError, match="kind fisheye cannot be rendered"):
        from_nerfstudio(fisheye)
    distorted = to_nerfstudio([camera()])
    distorted.distortion_params = torch.tensor([[0.1, 0, 0, 0, 0, 0]])
    with pytest.raises(S3DError, match="distorted camera"):
        from_nerfstudio(distorted)
