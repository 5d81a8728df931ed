"""Ids that go on from view to view, on evidence small enough to follow by hand."""

import numpy as np
import pytest

from s3d_splat.instances.options import ReliftOptions
from s3d_splat.instances.persistence import persistent_labels
from s3d_splat.instances.relift import relift
from tests.instances.flat_scene import evidence


def test_ids_that_all_views_share_are_objects() -> None:
    masks = evidence([7, 7, 3, 3], [7, 7, 3, 0], [-1, 7, 3, 3])
    assert persistent_labels(masks, 0.9, min_pixels=1).tolist() == [2, 2, 1, 1]  # 3 is the first mask of the first view


def test_ids_drawn_anew_in_every_view_are_none() -> None:
    """Each is in one of the three views that show its Gaussians."""
    masks = evidence([1, 1, 2, 2], [3, 3, 4, 4], [5, 5, 6, 6])
    assert persistent_labels(masks, 0.34, min_pixels=1).tolist() == [0, 0, 0, 0]
    assert persistent_labels(masks, 0.33, min_pixels=1).tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(("threshold", "found"), [(0.62, [1, 1]), (0.63, [0, 0])])
def test_persistence_is_the_share_of_views_that_have_the_id(threshold: float, found: list[int]) -> None:
    """Five of eight."""
    looks = evidence(*[[1, 1]] * 5, *[[2, 2]] * 3)
    assert persistent_labels(looks, threshold, min_pixels=1).tolist() == found


def test_looks_count_by_their_weight_on_the_id() -> None:
    """Id 1 is in views 0 to 2. It has three looks at Gaussian 0, of which four views show, and one at Gaussian 1, of which
    two do, one of them with the id: (3 * 3 / 4 + 1 * 1 / 2) / 4 = 0.6875."""
    looks = evidence([1, 1], [1, -1], [1, 0], [2, 2])
    assert persistent_labels(looks, 0.68, min_pixels=1).tolist() == [1, 1]
    assert persistent_labels(looks, 0.69, min_pixels=1).tolist() == [0, 0]


def test_ragged_borders_do_not_make_an_id_unsteady() -> None:
    """The middle Gaussian is now the one's, now the other's; both are in every view."""
    looks = evidence([1, 1, 2], [1, 2, 2], [1, 2, 2], [1, 1, 2], [1, 2, 2])
    assert persistent_labels(looks, 1.0, min_pixels=1).tolist() == [1, 2, 2]


def test_views_without_masks_say_nothing_about_ids() -> None:
    assert persistent_labels(evidence([1, 1], [0, 0], [0, 0], [-1, -1]), 0.9, min_pixels=1).tolist() == [1, 1]


def test_stuff_is_told_by_its_class() -> None:
    masks = evidence([1, 1, 2], [1, 1, 2], class_ids={1: 5}, stuff=(5,))
    assert persistent_labels(masks, 0.9, min_pixels=1).tolist() == [0, 0, 1]


def test_ids_that_hardly_show_are_none() -> None:
    """Three pixels of weight on the Gaussian of id 2, six on those of id 1."""
    assert persistent_labels(evidence(*[[1, 1, 2]] * 3), 0.9, min_pixels=4).tolist() == [1, 1, 0]


def test_an_object_of_one_gaussian_stands_if_its_id_does() -> None:
    views = [[1, 1, 1, 2]] * 3
    options = ReliftOptions(min_size=2, min_pixels=1)
    assert relift(evidence(*views), np.array([1, 1, 1, 2]), options, certain=2).tolist() == [1, 1, 1, 2]
    assert relift(evidence(*views), np.array([1, 1, 1, 2]), options).tolist() == [1, 1, 1, 0]


def test_no_view() -> None:
    assert persistent_labels(evidence([0, 0]), 0.5, min_pixels=1).tolist() == [0, 0]


def test_what_ids_vouch_for_is_neither_divided_nor_joined() -> None:
    """Views that see both under one mask would join them, and divide the first in the middle."""
    views = [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 2, 2]]
    options = ReliftOptions(min_size=1, min_pixels=1)
    free = relift(evidence(*views), np.array([1, 1, 2, 2]), options)
    assert len(set(free.tolist())) == 1
    assert relift(evidence([1, 1, 2, 2], [1, 2, 2, 2]), np.array([1, 1, 2, 2]), options, certain=2).tolist() == [1, 1, 2, 2]
