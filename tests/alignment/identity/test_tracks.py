"""Masks of one id in successive images: when they are one track, and when the id is on another object."""

from __future__ import annotations

import numpy as np
import torch

from s3d_splat.alignment.identity.tables import TrackTable
from s3d_splat.alignment.identity.tracks import ClusterTracks
from s3d_splat.alignment.identity.values import Cells
from s3d_splat.geometry.voxels import voxel_keys
from tests.alignment.identity.painted_room import row

SIDE = 10  # cells of a square mask


def square(x: int) -> np.ndarray:
    """Keys of the cells of a square on the plane z = 0 whose first column is at `x`."""
    columns, rows = np.meshgrid(np.arange(x, x + SIDE), np.arange(SIDE))
    points = np.stack([columns.ravel(), rows.ravel(), np.zeros(SIDE * SIDE)], axis=1) + 0.5
    return voxel_keys(torch.from_numpy(points), 1.0).numpy()


def image(masks: dict[int, int]) -> tuple[np.ndarray, np.ndarray, Cells]:
    """One image: the place of the square of each id."""
    ids = np.array(sorted(masks))
    keys = np.concatenate([square(masks[k]) for k in sorted(masks)])
    owner = np.repeat(ids, SIDE * SIDE)
    order = np.lexsort((owner, keys))
    return ids, np.full(len(ids), SIDE * SIDE), Cells(keys[order], owner[order], np.ones(len(keys), np.float32))


def tracks_of(images: list[dict[int, int]]) -> list[list[int]]:
    cluster = ClusterTracks(0, TrackTable([[row(1, 1), row(2, 2)]]), check_space=True)
    return [cluster.add(*image(masks)).tolist() for masks in images]


def test_masks_on_each_other_are_one_track() -> None:
    assert tracks_of([{1: 0, 2: 50}, {1: 5, 2: 50}, {1: 9, 2: 50}]) == [[0, 1]] * 3


def test_another_side_of_an_object_goes_on_with_its_track() -> None:
    """The mask moves beside where it was, onto cells that nobody had."""
    assert tracks_of([{1: 0, 2: 50}, {1: 12, 2: 50}]) == [[0, 1], [0, 1]]


def test_an_id_on_the_cells_of_another_is_another_track() -> None:
    assert tracks_of([{1: 0, 2: 12}, {1: 12}]) == [[0, 1], [2]]


def test_an_id_far_away_is_another_track() -> None:
    assert tracks_of([{1: 0, 2: 50}, {1: 500, 2: 50}]) == [[0, 1], [2, 1]]
