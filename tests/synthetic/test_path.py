"""The walk is smooth, level enough, clear of walls and rigid, in one room and in a corridor of rooms."""

import numpy as np
import pytest

from s3d_splat.synthetic.layout import draw_room
from s3d_splat.synthetic.path import walk
from s3d_splat.synthetic.shell import Building, build
from s3d_splat.synthetic.stage import stream
from s3d_splat.synthetic.world import RayCaster, assemble


def _building(seed: int, rooms: int) -> Building:
    rng = stream(seed, "layout")
    return build(tuple(draw_room(rng) for _ in range(rooms)))


@pytest.fixture(params=[(0, 1), (1, 1), (2, 3)], ids=lambda value: f"seed{value[0]}-rooms{value[1]}", scope="module")
def case(request: pytest.FixtureRequest) -> tuple[Building, np.ndarray]:
    seed, rooms = request.param
    building = _building(seed, rooms)
    return building, walk(building, 150 * rooms, stream(seed, "path"))


def test_poses_are_rigid(case: tuple[Building, np.ndarray]) -> None:
    rotations = case[1][:, :3, :3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)


def test_the_camera_is_held_upright_at_the_height_of_a_chest(case: tuple[Building, np.ndarray]) -> None:
    poses = case[1]
    assert (poses[:, 2, 1] < -0.7).all()  # the image's down axis points down
    assert ((poses[:, 2, 3] > 1.0) & (poses[:, 2, 3] < 1.8)).all()


def test_the_walk_is_smooth(case: tuple[Building, np.ndarray]) -> None:
    poses = case[1]
    assert np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).max() < 0.5
    cosine = (poses[1:, :3, 2] * poses[:-1, :3, 2]).sum(1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 20


def test_the_camera_keeps_clear_of_everything(case: tuple[Building, np.ndarray]) -> None:
    building, poses = case
    caster = RayCaster(assemble(building))
    directions = np.random.default_rng(0).normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    nearest = [caster.distances(np.repeat(pose[None, :3, 3], 200, 0), directions).min() for pose in poses[::3]]
    assert min(nearest) > 0.2


def test_the_seed_draws_the_layout() -> None:
    sizes = {(room.width, room.door.x) for seed in range(4) for room in _building(seed, 1).rooms}
    assert len(sizes) == 4


def test_every_room_of_a_corridor_has_its_own_things_and_shares_the_shell() -> None:
    building = _building(0, 3)
    classes = [thing.class_name for thing in building.things]
    assert [classes.count(name) for name in ("wall", "floor", "ceiling", "sofa", "door")] == [1, 1, 1, 3, 3]
    assert classes.count("chair") == 12
