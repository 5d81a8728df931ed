"""Parts of objects that no view sees whole."""

import numpy as np

from s3d_splat.instances.relift.fragments import joined_fragments
from tests.instances.flat_scene import evidence

CUTS = [(2, 4, 8, 10), (1, 3, 7, 9), (3, 5, 9, 11), (2, 5, 8, 11), (1, 4, 7, 10)]


def cut(*at: int) -> list[int]:
    """Masks 1, 2, ... of twelve Gaussians, one metre apart, a new one from each of the given on."""
    return (np.searchsorted(sorted(at), np.arange(12), side="right") + 1).tolist()


def joined(views: list[list[int]], labels: list[int], voxel: float = 1.0) -> list[int]:
    return joined_fragments(evidence(*views), np.array(labels), 0.6, voxel).tolist()


HALVES = [0] * 6 + [1] * 6


def test_parts_that_agree_where_they_meet_are_one() -> None:
    """Every view cuts each half in three, and none cuts between Gaussians 5 and 6, where they meet."""
    assert joined([cut(*view) for view in CUTS], HALVES) == [0] * 12


def test_parts_between_which_masks_often_end_stay_two() -> None:
    assert joined([cut(*view, 6) for view in CUTS[:3]] + [cut(*view) for view in CUTS[3:]], HALVES) == HALVES


def test_parts_that_do_not_touch_stay_two() -> None:
    apart = [0] * 5 + [-1] * 2 + [1] * 5
    assert joined([cut(*view) for view in CUTS], apart) == apart


def test_whole_clusters_are_not_asked() -> None:
    assert joined([cut()] * 3, HALVES) == HALVES


def test_nothing_to_join() -> None:
    assert joined([[1, 1]], [-1, -1]) == [-1, -1]
    assert joined([[1, 1]], [0, 0]) == [0, 0]
