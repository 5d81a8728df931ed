"""Which views are compared, between which depths, and where they agree."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from s3d_splat.priors.geometry.dense.consistency import agreeing
from s3d_splat.priors.geometry.dense.neighbours import Sightings, surroundings
from s3d_splat.types import Camera
from tests.priors.dense.surfaces import COUNT, Plane, camera_at, true_depth

POINTS = 30
WALL = (Plane(2.5), Plane(2.0, span=(0.1, 0.5)))


def row_of_views(degrees: list[float]) -> Sightings:
    """Views on a circle around points that lie close together, at the given angles; all see all."""
    cameras = []
    for angle in degrees:
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_euler("y", -angle, degrees=True).as_matrix()
        pose[:3, 3] = -10 * pose[:3, 2]
        cameras.append(Camera(torch.from_numpy(pose), 100.0, 100.0, 50.0, 50.0, 100, 100))
    count = len(degrees)
    return Sightings(
        tuple(cameras),
        np.random.default_rng(0).normal(0, 1e-3, (POINTS, 3)),
        np.repeat(np.arange(count), POINTS),
        np.tile(np.arange(POINTS), count),
        np.full(POINTS * count, 10.0),
    )


def neighbours(seen: Sightings, count: int, banned: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    allowed = np.array([index not in banned for index in range(len(seen.cameras))])
    return [place.neighbours for place in surroundings(seen, allowed, count) if place is not None]


def test_angles_of_some_degrees_are_preferred() -> None:
    assert neighbours(row_of_views([0, 0.5, 5, 40]), 1)[0] == (2,)
    assert neighbours(row_of_views([0, 0.5, 25, 40]), 1)[0] == (2,)


def test_views_without_a_useful_angle_are_none() -> None:
    assert neighbours(row_of_views([0, 0.1, 100]), 3)[0] == ()


def test_a_neighbour_elsewhere_goes_before_one_that_tells_the_same() -> None:
    """5.2 degrees is nearly as good as 5, but beside it; -8 degrees is on the other side."""
    assert neighbours(row_of_views([0, 5, 5.2, -8]), 2)[0] == (1, 3)


def test_no_view_is_compared_with_what_is_not_allowed_or_with_itself() -> None:
    found = neighbours(row_of_views([0, 5, -5, 10]), 3, banned=(1,))
    assert all(1 not in near and index not in near for index, near in enumerate(found))
    assert sorted(found[1]) == [0, 2, 3]  # it has neighbours all the same


def test_the_range_leaves_wrong_points_out_and_a_margin_around_the_rest() -> None:
    seen = row_of_views([0, 5])
    depth = np.concatenate([np.linspace(2, 4, POINTS), np.linspace(2, 4, POINTS)])
    depth[7] = -3.0  # behind the camera
    seen = Sightings(seen.cameras, seen.points, seen.view, seen.point, depth)
    place = next(surroundings(seen, np.ones(2, bool), 2))
    assert place is not None
    assert 2 / 1.5 <= place.within.nearest < 2.15 / 1.5
    assert 3.85 * 1.5 < place.within.farthest <= 4 * 1.5


def test_points_that_others_found_before_a_view_widen_its_range() -> None:
    """Half of the points stand five units before those that the first view has found; one is behind it."""
    seen = row_of_views([0, 5])
    points = seen.points.copy()
    points[::2, 2] -= 5.0
    points[1, 2] = -50.0
    kept = (seen.view == 1) | (seen.point % 2 == 1)
    seen = Sightings(seen.cameras, points, seen.view[kept], seen.point[kept], seen.depth[kept])
    place = next(surroundings(seen, np.ones(2, bool), 2))
    assert place is not None
    assert abs(place.within.nearest - 5 / 1.5) < 0.01
    assert abs(place.within.farthest - 10 * 1.5) < 0.01


def test_a_view_without_points_has_no_surroundings() -> None:
    seen = row_of_views([0, 5, 10])
    kept = seen.view != 1
    seen = Sightings(seen.cameras, seen.points, seen.view[kept], seen.point[kept], seen.depth[kept])
    assert [place is None for place in surroundings(seen, np.ones(3, bool), 2)] == [False, True, False]


def exact(index: int) -> tuple[Camera, np.ndarray]:
    return camera_at(index), true_depth(index, WALL).astype(np.float32)


def test_exact_depths_agree_and_stay() -> None:
    camera, depth = exact(2)
    count, mean = agreeing(camera, depth, [exact(1), exact(3), exact(4)])
    assert (count == 3).mean() > 0.7
    assert (count == 0).mean() < 0.05  # at the borders of the nearer plane
    assert np.quantile(np.abs(mean / depth - 1)[count == 3], 0.99) < 1e-3


def test_a_depth_of_its_own_is_not_confirmed() -> None:
    camera, depth = exact(2)
    count, mean = agreeing(camera, 1.1 * depth, [exact(index) for index in range(COUNT) if index != 2])
    assert (count == 0).mean() > 0.97
    np.testing.assert_allclose(mean[count == 0], 1.1 * depth[count == 0], rtol=1e-5)


def test_small_errors_are_averaged() -> None:
    """Depths 1 % over and two exact ones: the mean of the inverse depths."""
    camera, depth = exact(2)
    count, mean = agreeing(camera, np.float32(1.01) * depth, [exact(1), exact(3)])
    both = count == 2
    assert both.mean() > 0.7
    expected = 3 / (1 / 1.01 + 1 + 1)
    assert abs(np.median(mean[both] / depth[both]) - expected) < 5e-4


def test_views_that_look_elsewhere_do_not_count() -> None:
    camera, depth = exact(2)
    turned = camera.T_world_camera @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    away = Camera(turned, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
    count, _ = agreeing(camera, depth, [(away, depth)])
    assert not count.any()
