"""Camera paths: where they look and which way is up."""

import math

import torch

from s3d_splat.geometry.paths import look_at, nearest_to_axes, orbit
from s3d_splat.types import Camera

UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


def around(target: torch.Tensor, count: int, radius: float) -> list[Camera]:
    cameras = []
    for i in range(count):
        angle = 2 * math.pi * i / count
        position = target + radius * torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=torch.float64)
        cameras.append(Camera(look_at(position, target, UP), 100.0, 100.0, 32.0, 24.0, 64, 48))
    return cameras


def test_look_at_sees_the_target_in_the_middle_with_up_upwards():
    position, target = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([4.0, 2.0, 3.0]).double()
    pose = look_at(position, target, UP)
    in_camera = torch.linalg.inv(pose) @ torch.cat([target, torch.ones(1).double()])
    torch.testing.assert_close(in_camera[:3], torch.tensor([0.0, 0.0, 3.0]).double())
    torch.testing.assert_close(pose[:3, 1], -UP)  # y points down
    torch.testing.assert_close(torch.linalg.det(pose[:3, :3]), torch.tensor(1.0).double())


def test_look_at_straight_down_is_still_a_rotation():
    pose = look_at(torch.tensor([0.0, 0.0, 5.0]).double(), torch.zeros(3).double(), UP)
    torch.testing.assert_close(pose[:3, :3] @ pose[:3, :3].T, torch.eye(3).double())


def test_axes_that_meet_give_their_meeting_point():
    target = torch.tensor([0.5, -1.0, 2.0]).double()
    centres = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(nearest_to_axes(centres, target - centres), target, atol=1e-4, rtol=0)


def test_orbit_of_a_ring_is_that_ring():
    target = torch.tensor([1.0, 2.0, 0.5]).double()
    path = orbit(around(target, 7, radius=3.0), 12)
    assert len(path) == 12
    for camera in path:
        offset = camera.T_world_camera[:3, 3] - target
        torch.testing.assert_close(offset.norm(), torch.tensor(3.0).double(), atol=1e-4, rtol=0)
        torch.testing.assert_close(camera.T_world_camera[:3, 2], -offset / 3.0, atol=1e-4, rtol=0)
