"""Which views are heard about a Gaussian."""

import numpy as np

from s3d_splat.instances.relift.choices import voted_labels, without_silent_views
from tests.instances.flat_scene import evidence

CUP_ON_TABLE = np.array([1, 1, 1, 2, 2])


def heard(views: list[list[int]], choice: list[int], whole: float = 0.6) -> list[list[float]]:
    return without_silent_views(evidence(*views), np.array(choice), CUP_ON_TABLE, whole).weights.toarray().tolist()


def test_a_view_that_lost_the_cups_mask_says_nothing_about_the_cup() -> None:
    views = [[1, 1, 1, 2, 2], [1, 1, 1, 1, 1]]
    assert heard(views, [1, 2, 1]) == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [1, 1, 1, 0, 0]]


def test_what_no_other_view_shows_stays() -> None:
    assert heard([[1, 1, 1, 1, 1]], [1]) == [[1] * 5]


def test_labels_that_views_seldom_see_whole_are_not_asked() -> None:
    """The cup's two Gaussians are under two masks in every view: its agreement with itself is 1/2."""
    views = [[1, 1, 1, 2, 3], [1, 1, 1, 2, 1]]
    choice = [1, 2, 2, 1, 1]
    assert heard(views, choice, whole=0.5)[3:] == [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert heard(views, choice, whole=0.6)[3:] == [[1, 1, 1, 0, 1], [0, 0, 0, 1, 0]]


def test_merged_masks_no_longer_outvote_an_objects_own() -> None:
    """One view of three has the cup's mask; where it ends is what that view says."""
    masks = evidence([1, 1, 1, 2, 2], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1])
    choice = np.array([1, 2, 1, 1])
    assert voted_labels(masks, choice, CUP_ON_TABLE, 0, 1).tolist() == [1, 1, 1, 1, 1]
    spoken = without_silent_views(masks, choice, CUP_ON_TABLE, 0.6)
    assert voted_labels(spoken, choice, CUP_ON_TABLE, 0, 1).tolist() == [1, 1, 1, 2, 2]
