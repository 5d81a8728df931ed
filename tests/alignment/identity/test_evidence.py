"""What views and pixels say of two tracks, as arithmetic."""

from __future__ import annotations

import numpy as np

from s3d_splat.alignment.identity.evidence import beside_evidence, objects_of, pixel_evidence, space_evidence
from s3d_splat.alignment.identity.values import View

NOBODY = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)


def view(*votes: tuple[int, int, float], beside: tuple[np.ndarray, np.ndarray] = NOBODY) -> View:
    """Votes: track, cell, pixels."""
    columns = np.array(votes, dtype=np.float64).reshape(-1, 3)
    return View(columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2], *beside)


def test_equal_shares_agree_fully() -> None:
    """Track 0 and track 2 have half of cell 7 each in their views: 0.25 agreed of (0.25 + 0.25) / 2."""
    found = space_evidence([view((0, 7, 3), (1, 7, 3)), view((2, 7, 5), (3, 7, 5))], 4)
    assert {tuple(pair): (a, c) for pair, a, c in zip(found.pair.tolist(), found.agreed, found.compared, strict=True)} == {
        (0, 2): (0.25, 0.25),
        (0, 3): (0.25, 0.25),
        (1, 2): (0.25, 0.25),
        (1, 3): (0.25, 0.25),
    }


def test_cells_that_one_view_did_not_see_are_not_compared() -> None:
    """Track 0 has cells 1, 2, 3; the second view saw 2 and 3, where its track 1 has 2 and its track 2 has 3."""
    found = space_evidence([view((0, 1, 1), (0, 2, 1), (0, 3, 1)), view((1, 2, 1), (2, 3, 1))], 3)
    assert sorted(found.pair.tolist()) == [[0, 1], [0, 2]]
    assert found.agreed.tolist() == [1.0, 1.0]
    assert found.compared.tolist() == [1.5, 1.5]  # (2 cells of track 0 + 1 cell of the other) / 2


def test_side_by_side_is_compared_and_does_not_agree() -> None:
    pairs = np.array([[0, 1], [0, 2]]), np.array([3, 1])
    found = beside_evidence([view((0, 1, 1), (0, 2, 1), (1, 3, 1), (2, 4, 1), beside=pairs)], 3, 2)
    assert found.pair.tolist() == [[0, 1]]
    assert found.agreed.tolist() == [0.0]
    assert found.compared.tolist() == [2.0]  # twice the one cell of track 1, the smaller


def test_masks_of_one_image_count_double() -> None:
    """Four pixels that both label: 0 and 5 share two, the union is three."""
    found = pixel_evidence(np.array([0, 0, 0, 1, -1]), np.array([5, 5, 6, 6, 5]), 0.5)
    assert found.pair.tolist() == [[0, 5], [0, 6], [1, 6]]
    assert found.agreed.tolist() == [2.0, 1.0, 1.0]
    assert found.compared.tolist() == [3.0, 4.0, 2.0]


def test_one_group_for_each_stuff_class_and_none_across_classes() -> None:
    views = [view((0, 1, 1), (1, 2, 1)), view((2, 1, 1), (3, 2, 1), (4, 9, 1))]
    evidence = [space_evidence(views, 5)]
    classes, stuff = np.array([3, 4, 3, 5, 8]), np.array([False, False, False, False, True])
    same = objects_of(views, evidence, classes, stuff)
    assert same[0] == same[2]
    assert same[1] != same[3]  # they lie on each other, but one is of class 4, the other of class 5
    walls = objects_of(views, evidence, np.full(5, 8), np.full(5, True))
    assert len(set(walls.tolist())) == 1
