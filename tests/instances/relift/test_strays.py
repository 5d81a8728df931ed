"""Small objects inside the cluster of a large one."""

import numpy as np

from s3d_splat.instances.relift.strays import without_strays
from tests.instances.flat_scene import evidence

SOFA_AND_BOOK = [1] * 8 + [2] * 2
ONE_MASK = [1] * 10


def freed(views: list[list[int]], labels: list[int], min_pixels: int = 1, divisible: bool = True) -> list[int]:
    masks = evidence(*views)
    chosen = np.array([False] + [divisible] * max(labels))
    return without_strays(masks, np.array(labels), chosen, 0.6, min_pixels).tolist()


def test_a_small_object_inside_a_large_cluster_leaves_it() -> None:
    assert freed([SOFA_AND_BOOK] * 3, ONE_MASK) == [1] * 8 + [2] * 2


def test_ids_of_the_masks_mean_nothing() -> None:
    views = [SOFA_AND_BOOK, [7] * 8 + [1] * 2, SOFA_AND_BOOK, [3] * 8 + [2] * 2]
    assert freed(views, ONE_MASK) == [1] * 8 + [2] * 2


def test_one_of_five_views_may_show_both_under_one_mask() -> None:
    """(1 + 1) / (5 + 2) of its views at home, agreement 1/5 with the sofa and 1 with itself."""
    assert freed([SOFA_AND_BOOK] * 4 + [[1] * 10], ONE_MASK) == [1] * 8 + [2] * 2


def test_what_most_views_show_with_the_cluster_stays() -> None:
    """(3 + 1) / (5 + 2) is under the share at home, but the agreement of 3/5 is that of one object."""
    assert freed([SOFA_AND_BOOK] * 2 + [[1] * 10] * 3, ONE_MASK) == ONE_MASK


def test_two_books_leave_as_two() -> None:
    """The cluster agrees with itself at (16^2 + 2^2 + 2^2) / 20^2 = 0.66."""
    labels = freed([[1] * 16 + [2] * 2 + [3] * 2] * 4, [1] * 20)
    assert labels[:16] == [1] * 16
    assert len({*labels[16:18]}) == len({*labels[18:]}) == 1
    assert len(set(labels)) == 3


def test_a_cluster_that_no_view_sees_whole_keeps_what_it_has() -> None:
    """Its masks break elsewhere in each view: every Gaussian is under another mask than most now and then."""
    views = [[1] * at + [2] * (10 - at) for at in (2, 4, 5, 6, 8)]
    assert freed(views, ONE_MASK) == ONE_MASK


def test_light_strays_and_clusters_that_are_certain_stay() -> None:
    assert freed([SOFA_AND_BOOK] * 3, ONE_MASK, min_pixels=7) == ONE_MASK
    assert freed([SOFA_AND_BOOK] * 3, ONE_MASK, divisible=False) == ONE_MASK


def test_what_no_view_shows_stays() -> None:
    assert freed([[1] * 9 + [-1]] * 3, ONE_MASK) == ONE_MASK
