"""Which way is up, boxes, colours."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.query.objects import most_frequent_colour, object_table, upright
from s3d_splat.types import Camera, Gaussians, InstanceSet


def looking(x: float, pitch: float, turn: torch.Tensor | None = None) -> Camera:
    """A level camera in a z-up world, turned by x about z and tilted down by `pitch` (radians)."""
    forward = torch.tensor([np.cos(x) * np.cos(pitch), np.sin(x) * np.cos(pitch), -np.sin(pitch)])
    right = torch.tensor([np.sin(x), -np.cos(x), 0.0])
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.stack((right, torch.linalg.cross(forward, right), forward), dim=1)
    if turn is not None:
        pose[:3, :3] = turn @ pose[:3, :3]
    return Camera(pose.float(), 1.0, 1.0, 0.5, 0.5, 1, 1)


@pytest.mark.parametrize("pitch", [0.0, 0.5, -0.3])
def test_up_is_at_right_angles_to_level_cameras_however_they_are_tilted(pitch: float) -> None:
    turn = rotation_matrices(torch.tensor([[0.3, -0.5, 0.7, 0.4]], dtype=torch.float64))[0]
    rotation = upright([looking(x, pitch, turn) for x in (0.0, 1.0, 2.5, 4.0)])
    assert rotation[:3, :3] @ turn.numpy() @ [0, 0, 1] == pytest.approx([0, 0, 1], abs=1e-5)
    assert rotation[:3, :3] @ rotation[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("tilt", [(0.002, 0.0), (0.0, 0.002), (-0.001, 0.003)])
def test_sizes_keep_their_axes_when_up_is_not_quite_the_worlds(tilt: tuple[float, float]) -> None:
    """A world whose z is up but for a tenth of a degree is hardly turned: x stays x, and y stays y."""
    turn = rotation_matrices(torch.tensor([[1.0, tilt[0], tilt[1], 0.0]], dtype=torch.float64))[0]
    rotation = upright([looking(x, 0.2, turn) for x in (0.0, 1.0, 2.5, 4.0)])
    assert rotation[:3, :3] == pytest.approx(np.eye(3), abs=0.02)


@pytest.mark.parametrize("quarter", [1, -1])
@pytest.mark.parametrize("more", [0.0, 0.3])
def test_up_of_pictures_taken_sideways(quarter: int, more: float) -> None:
    """Cameras turned by a quarter about their axis, to either side, that look down more than up, all by the same angle or
    not."""
    roll = rotation_matrices(torch.tensor([[1.0, 0.0, 0.0, float(quarter)]], dtype=torch.float64))[0]
    cameras = []
    for x, pitch in ((0.0, 0.3), (1.0, -0.5), (2.5, 0.4), (4.0, 0.2), (5.2, 0.1)):
        level = looking(x, 0.05 + more * pitch)
        pose = level.T_world_camera.double()
        pose[:3, :3] = pose[:3, :3] @ roll
        cameras.append(replace(level, T_world_camera=pose.float()))
    assert upright(cameras)[2, :3] == pytest.approx([0, 0, 1], abs=1e-3)


def test_up_of_cameras_that_all_look_one_way_is_theirs() -> None:
    assert upright([looking(0.3, 0.0)] * 3)[2, :3] == pytest.approx([0, 0, 1], abs=1e-6)
    assert upright([]).tolist() == np.eye(4).tolist()


def test_the_most_frequent_colour_is_no_mean_of_different_ones() -> None:
    """60 % red, 40 % white: red, and not pink; by weight it may be white."""
    colours = np.array([[0.8, 0.1, 0.1]] * 6 + [[1.0, 1.0, 1.0]] * 4)
    assert most_frequent_colour(colours, np.ones(10)) == pytest.approx([0.8, 0.1, 0.1])
    assert most_frequent_colour(colours, np.array([1.0] * 6 + [3.0] * 4)) == pytest.approx([1, 1, 1])
    assert most_frequent_colour(colours, np.zeros(10)) == pytest.approx([0.8, 0.1, 0.1])


def test_a_table_of_two_objects() -> None:
    """Instance 5 is 101 Gaussians along x, one of them far away; 2 is one; 9 owns none; an unlabelled one counts nowhere."""
    x = torch.cat((torch.linspace(0, 1, 100), torch.tensor([50.0, 3.0, 7.0])))
    gaussians = Gaussians(
        means=torch.stack((x, torch.ones(103), torch.zeros(103)), dim=1),
        log_scales=torch.zeros(103, 3),
        quaternions=torch.tensor([1.0, 0, 0, 0]).expand(103, 4),
        opacities=torch.ones(103),
        colours=torch.tensor([0.2, 0.4, 0.6]).expand(103, 3),
    )
    child = torch.tensor([5] * 101 + [2] + [0]).int()
    instances = InstanceSet(
        anchor_instance=child,
        child_instance=child[:, None],
        instance_id=torch.tensor([5, 2, 9]).int(),
        class_id=torch.tensor([4, 0, 4]).int(),
        is_thing=torch.tensor([1, 0, 1]).int(),
        score=torch.ones(3),
        size=torch.tensor([101, 1, 0]).int(),
        aabb=torch.zeros(3, 2, 3),
    )
    table = object_table(gaussians, instances, {4: "chair"}, [])
    assert table.id.tolist() == [2, 5]
    assert table.class_name == ("", "chair")
    assert table.is_thing.tolist() == [False, True]
    assert table.box[0].tolist() == [[3, 1, 0], [3, 1, 0]]
    assert table.box[1, :, 0] == pytest.approx([2 / 99, 98 / 99], abs=1e-6)  # 2 % lie beyond each end, the stray one too
    assert table.centre[0].tolist() == [3, 1, 0]
    assert table.colour[1] == pytest.approx([0.2, 0.4, 0.6], abs=1e-6)
    assert len(table.points[0]) == 1
    assert len(table.points[1]) == 101
