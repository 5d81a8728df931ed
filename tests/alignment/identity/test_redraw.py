"""Votes of neighbouring images: what they fill, what they leave alone, and how many pixels a label gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from s3d_splat.alignment.identity.redraw import Look, _elected, filled_holes, reach, redrawn
from s3d_splat.alignment.identity.votes import IdVotes
from s3d_splat.geometry.voxels import voxel_keys
from tests.alignment.identity.painted_room import LEFT, PILLAR, WALL, cameras, true_labels
from tests.alignment.posed_images import room_depth


def look(index: int, labels: np.ndarray | None = None) -> Look:
    camera = cameras(9)[index]
    given = true_labels(camera).numpy() if labels is None else labels
    return Look(index, camera, room_depth(camera).numpy(), (given.ravel().astype(np.uint16),))


def test_masks_that_agree_stay_as_they_are() -> None:
    others = [look(index) for index in range(9) if index != 4]
    truth = true_labels(cameras(9)[4]).numpy()
    assert (redrawn(look(4), others) == truth).mean() > 0.985


def test_what_the_neighbours_cannot_see_is_not_drawn() -> None:
    """They saw a poster where the pillar now stands before it; the depth says that it is not the poster."""
    others = [look(index) for index in range(9) if index != 0]
    truth = true_labels(cameras(9)[0]).numpy()
    drawn = redrawn(look(0, np.where(truth == PILLAR, 0, truth)), others)
    inside = np.zeros_like(truth, dtype=bool)
    inside[:, 1:-1] = (truth[:, 1:-1] == PILLAR) & (truth[:, :-2] == PILLAR) & (truth[:, 2:] == PILLAR)
    assert (drawn[inside] == PILLAR).mean() > 0.95
    assert not (drawn[inside] == LEFT).any()


def test_an_image_without_neighbours_keeps_its_masks() -> None:
    truth = true_labels(cameras(9)[0]).numpy()
    assert (redrawn(look(0), []) == truth).all()


def test_an_image_with_a_few_points_of_depth_keeps_its_masks() -> None:
    """Votes at single pixels would make holes in the masks around them."""
    few = look(4)
    sparse = np.where(np.arange(few.depth.size).reshape(few.depth.shape) % 10 == 0, few.depth, 0).astype(np.float32)
    other = Look(4, few.camera, sparse, (np.full(few.depth.size, WALL, np.uint16),))
    assert (redrawn(other, [look(index) for index in range(9) if index != 4]) == WALL).all()


def test_large_images_are_held_in_smaller_numbers() -> None:
    small = cameras(1)[0]
    assert reach(small) == 60
    large = replace(small, width=4000, height=2500)
    assert reach(large) == 2  # 80 MB each: 400 MB hold five, two on either side of one


def test_a_thin_object_gets_the_area_that_its_votes_add_up_to() -> None:
    """Two of five votes in each of five pixels are two pixels' worth; without weighing it would get none."""
    votes = np.array([[10.0] * 20 + [3.0, 3.0, 2.9, 3.0, 3.0], [0.0] * 20 + [2.0, 2.0, 2.1, 2.0, 2.0]], dtype=np.float32)
    assert votes.argmax(axis=0).sum() == 0
    assert _elected(votes)[22] == 1
    assert _elected(votes)[:20].sum() == 0


def test_holes_are_filled_where_enough_is_known_around_them() -> None:
    depth = np.full((5, 5), 2.0, dtype=np.float32)
    depth[2, 2] = 0
    assert filled_holes(depth)[2, 2] == 2.0
    assert filled_holes(np.where(np.arange(25).reshape(5, 5) < 12, depth, 0).astype(np.float32))[4, 4] == 0


def test_a_point_takes_the_id_of_its_cell_else_of_the_block_around_it() -> None:
    points = torch.tensor([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5], [40.5, 0.5, 0.5]])
    keys = voxel_keys(points, 1.0).numpy()
    votes = IdVotes()
    votes.add(keys[:1].repeat(3), np.array([4, 9, 9]), np.ones(3, dtype=np.float32))
    votes.add(keys[:1], np.array([4]), np.full(1, 2.0, dtype=np.float32))
    assert votes.winners(keys[:1]).tolist() == [4]  # 3 against 2
    assert votes.winners(keys[2:]).tolist() == [0]
    assert IdVotes().winners(keys).tolist() == [0, 0, 0]
