"""Transfers between views and the likeness of squares, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from s3d_splat.priors.geometry.dense.semi_global import aggregated, lowest
from s3d_splat.priors.geometry.dense.sweep import SeenView, Transfer, likeness
from s3d_splat.types import Camera
from tests.priors.dense.surfaces import HEIGHT, WIDTH, Plane, camera_at, look

PLAIN = Camera(torch.eye(4, dtype=torch.float64), 100.0, 50.0, 4.0, 3.0, 8, 6)
WALL = (Plane(2.5),)


def moved(x: float, y: float, z: float) -> Camera:
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, 3] = torch.tensor([x, y, z])
    return replace(PLAIN, T_world_camera=pose)


def seen(index: int) -> SeenView:
    return SeenView(camera_at(index), look(camera_at(index), WALL)[0].astype(np.float32))


def test_a_step_to_the_side_moves_pixels_by_focal_length_times_step_over_depth() -> None:
    column, row, share = Transfer.between(PLAIN, moved(0.5, -0.2, 0.0)).pixels(0.25)
    np.testing.assert_allclose(column, np.tile(np.arange(8) - 100 * 0.5 * 0.25, (6, 1)), atol=1e-4)
    np.testing.assert_allclose(row, np.tile(np.arange(6)[:, None] + 50 * 0.2 * 0.25, (1, 8)), atol=1e-4)
    np.testing.assert_allclose(share, 1.0)


def test_a_step_forward_enlarges_around_the_principal_point() -> None:
    column, row, share = Transfer.between(PLAIN, moved(0.0, 0.0, 1.0)).pixels(0.25)
    np.testing.assert_allclose(share, 3 / 4)
    np.testing.assert_allclose(column, np.tile((np.arange(8) - 3.5) * 4 / 3 + 3.5, (6, 1)), atol=1e-4)
    np.testing.assert_allclose(row[:, 0], (np.arange(6) - 2.5) * 4 / 3 + 2.5, atol=1e-4)


def test_what_lies_behind_the_other_camera_is_outside() -> None:
    column, _, share = Transfer.between(PLAIN, moved(0.0, 0.0, 5.0)).pixels(0.25)
    assert (share < 0).all()
    assert (column < -1000).all()


def test_views_are_alike_on_the_true_depth_and_brightness_does_not_matter() -> None:
    true = (1 / look(camera_at(2), WALL)[1]).astype(np.float32)
    other = seen(3)
    dimmed = replace(other, grey=(0.6 * other.grey + 20).astype(np.float32))
    inner = (slice(8, -8), slice(8, -16))
    for view in (other, dimmed):
        alike = likeness(seen(2), [view], [true, 0.5 * true])[:, *inner]
        assert np.median(alike[0]) > 0.95
        assert np.median(alike[1]) < 0.5


def test_the_better_half_decides() -> None:
    """Two of four neighbours show another wall; of three of which one looks away, the better one of the two counts."""
    true = (1 / look(camera_at(2), WALL)[1]).astype(np.float32)
    noise = SeenView(camera_at(1), np.random.default_rng(0).uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32))
    turned = camera_at(1).T_world_camera @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    away = replace(noise, camera=replace(camera_at(1), T_world_camera=turned))
    inner = (slice(8, -8), slice(16, -16))
    clean = likeness(seen(2), [seen(1), seen(3)], [true])[0][inner]
    assert np.median(likeness(seen(2), [seen(1), seen(3), noise, noise], [true])[0][inner]) > 0.95
    assert np.median(likeness(seen(2), [noise, seen(3), away], [true])[0][inner]) > 0.95
    assert np.median(clean) > 0.95
    assert not likeness(seen(2), [away], [true]).any()


def test_the_vertex_of_a_parabola() -> None:
    cost = (np.arange(5)[:, None, None] - np.array([[1.3, 3.4, 0.0]])) ** 2
    np.testing.assert_allclose(lowest(cost.astype(np.float32)), [[1.3, 3.4, 0.0]], atol=1e-5)


def test_pixels_that_tell_nothing_follow_their_surroundings() -> None:
    cost = np.full((4, 5, 5), 1.0, np.float32)
    cost[2, 0] = cost[2, -1] = 0.0
    place = lowest(aggregated(cost, np.zeros((5, 5), np.float32), 0.1, 1.0))
    np.testing.assert_allclose(place, 2.0, atol=0.5)


def test_jumps_cost_less_where_the_image_changes() -> None:
    """The cost on the left of an edge is for one hypothesis, a weaker one on the right for another."""
    cost = np.full((6, 3, 8), 1.0, np.float32)
    cost[0, :, :4], cost[5, :, 4:] = 0.0, 0.75
    edge = np.zeros((3, 8), np.float32)
    edge[:, 4:] = 200.0
    even = lowest(aggregated(cost, np.zeros_like(edge), 0.1, 5.0))
    stepped = lowest(aggregated(cost, edge, 0.1, 5.0))
    assert (even[:, 4] < 1).all()
    assert (stepped[:, 4] > 4).all()


def test_the_sum_over_one_row_by_hand() -> None:
    """Two pixels in a row: one of eight paths carries the other pixel's cost over, the rest begin at the pixel."""
    cost = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], np.float32).T[:, None]  # hypotheses, one row, two pixels
    total = aggregated(cost, np.zeros((1, 2), np.float32), 0.25, 0.75)
    carried = [0.75, 0.25, 0.0]  # from the right: 1, 1, 0, of which a jump or a step to the last is cheaper
    np.testing.assert_allclose(total[:, 0, 0], 8 * cost[:, 0, 0] + carried)
