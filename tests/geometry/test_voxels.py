"""Voxel keys, samples and contacts, by hand."""

import numpy as np
import pytest
import torch

from s3d_splat.geometry.voxels import coarser_keys, touching_labels, voxel_keys, voxel_sample


def test_keys_are_equal_exactly_within_a_cell() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [0.09, 0.09, 0.09], [0.11, 0.0, 0.0], [-0.01, 0.0, 0.0], [0.0, 0.0, 0.1001]])
    keys = voxel_keys(points, 0.1).tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_coarser_keys_are_equal_exactly_within_a_block() -> None:
    axis = torch.arange(-4.0, 4.0) + 0.5
    grid = torch.cartesian_prod(axis, axis, axis)
    keys = coarser_keys(voxel_keys(grid, 1.0).numpy(), 2)  # blocks begin at even cells: the lowest is -1048576
    _, names, counts = np.unique(keys, return_inverse=True, return_counts=True)
    assert counts.tolist() == [8] * 4**3
    assert len(np.unique(np.stack([names, voxel_keys(grid, 2.0).numpy()]), axis=1).T) == 4**3


def test_keys_of_a_grid_are_all_different() -> None:
    axis = torch.arange(-4.0, 4.0) + 0.5
    grid = torch.cartesian_prod(axis, axis, axis)
    assert len(torch.unique(voxel_keys(grid, 1.0))) == 8**3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2e6])
def test_points_without_a_cell_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"not finite, or more than 1048574 voxels of 1\.0 m"):
        voxel_keys(torch.tensor([[0.0, value, 0.0]]), 1.0)


def test_a_size_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive, got 0"):
        voxel_keys(torch.zeros(1, 3), 0.0)


def test_a_sample_is_the_point_nearest_to_its_cells_mean() -> None:
    # One cell holds x = 0.1, 0.4, 0.5, 0.9 (mean 0.475: row 2), another holds row 4 alone.
    points = torch.zeros(5, 3)
    points[:, 0] = torch.tensor([0.1, 0.4, 0.5, 0.9, 1.5])
    assert voxel_sample(points, 1.0).tolist() == [2, 4]


def test_equally_near_points_give_the_first() -> None:
    points = torch.tensor([[0.75, 0.5, 0.5], [0.25, 0.5, 0.5]])
    assert voxel_sample(points, 1.0).tolist() == [0]


def test_a_sample_of_nothing_is_empty() -> None:
    assert len(voxel_sample(torch.zeros(0, 3), 1.0)) == 0


@pytest.mark.parametrize(
    ("cell", "touches"),
    [((0, 0, 0), True), ((1, 0, 0), True), ((0, -1, 0), True), ((0, 0, 1), True), ((1, 1, 0), False), ((0, 0, 2), False)],
)
def test_labels_touch_where_their_cells_share_a_face(cell: tuple[int, int, int], touches: bool) -> None:
    points = torch.tensor([[0.5, 0.5, 0.5], [cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5]])
    assert touching_labels(points, torch.tensor([7, 3]), 1.0).tolist() == ([[3, 7]] if touches else [])


def test_negative_labels_touch_nothing_and_pairs_are_unique() -> None:
    points = torch.tensor([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5], [1.5, 0.5, 0.5], [0.5, 1.5, 0.5]])
    assert touching_labels(points, torch.tensor([0, -1, 1, 1]), 1.0).tolist() == [[0, 1]]


def test_contacts_equal_those_of_all_pairs_of_points() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(300, 3, generator=generator) * 6 - 3
    labels = torch.randint(0, 12, (300,), generator=generator)
    cells = torch.floor(points / 0.5)
    distance = (cells[:, None] - cells[None]).abs().sum(-1)
    near = torch.nonzero((distance <= 1) & (labels[:, None] < labels[None]))
    expected = sorted({(int(labels[i]), int(labels[j])) for i, j in near.tolist()})
    assert [tuple(pair) for pair in touching_labels(points, labels, 0.5).tolist()] == expected


def test_no_point_has_no_contact() -> None:
    assert touching_labels(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 0.1).shape == (0, 2)
