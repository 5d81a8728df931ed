"""Ids that go on from view to view, on evidence small enough to follow by hand."""

import numpy as np
import pytest

from s3d_splat.instances.evidence import MaskEvidence
from s3d_splat.instances.options import ReliftOptions
from s3d_splat.instances.relift.persistence import PersistentObjects, persistent_objects
from s3d_splat.instances.relift.rounds import relift
from tests.instances.flat_scene import evidence


def test_ids_that_all_views_share_are_objects() -> None:
    masks = evidence([7, 7, 3, 3], [7, 7, 3, 0], [-1, 7, 3, 3])
    assert persistent_objects(masks, 0.9, min_pixels=1).of_gaussian.tolist() == [
        2,
        2,
        1,
        1,
    ]  # 3 is the first mask of the first view


def test_ids_drawn_anew_in_every_view_are_none() -> None:
    """Each is in one of the three views that show its Gaussians."""
    masks = evidence([1, 1, 2, 2], [3, 3, 4, 4], [5, 5, 6, 6])
    assert persistent_objects(masks, 0.34, min_pixels=1).of_gaussian.tolist() == [0, 0, 0, 0]
    assert persistent_objects(masks, 0.33, min_pixels=1).of_gaussian.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(("threshold", "found"), [(0.62, [1, 1]), (0.63, [0, 0])])
def test_persistence_is_the_share_of_views_that_have_the_id(threshold: float, found: list[int]) -> None:
    """Five of eight."""
    looks = evidence(*[[1, 1]] * 5, *[[2, 2]] * 3)
    assert persistent_objects(looks, threshold, min_pixels=1).of_gaussian.tolist() == found


def test_looks_count_by_their_weight_on_the_id() -> None:
    """Id 1 is in views 0 to 2. It has three looks at Gaussian 0, of which four views show, and one at Gaussian 1, of which
    two do, one of them with the id: (3 * 3 / 4 + 1 * 1 / 2) / 4 = 0.6875."""
    looks = evidence([1, 1], [1, -1], [1, 0], [2, 2])
    assert persistent_objects(looks, 0.68, min_pixels=1).of_gaussian.tolist() == [1, 1]
    assert persistent_objects(looks, 0.69, min_pixels=1).of_gaussian.tolist() == [0, 0]


def test_ragged_borders_do_not_make_an_id_unsteady() -> None:
    """The middle Gaussian is now the one's, now the other's; both are in every view."""
    looks = evidence([1, 1, 2], [1, 2, 2], [1, 2, 2], [1, 1, 2], [1, 2, 2])
    assert persistent_objects(looks, 1.0, min_pixels=1).of_gaussian.tolist() == [1, 2, 2]


def test_views_without_masks_say_nothing_about_ids() -> None:
    assert persistent_objects(evidence([1, 1], [0, 0], [0, 0], [-1, -1]), 0.9, min_pixels=1).of_gaussian.tolist() == [1, 1]


def test_stuff_is_told_by_its_class() -> None:
    masks = evidence([1, 1, 2], [1, 1, 2], class_ids={1: 5}, stuff=(5,))
    assert persistent_objects(masks, 0.9, min_pixels=1).of_gaussian.tolist() == [0, 0, 1]


def test_ids_that_hardly_show_are_none() -> None:
    """Three pixels of weight on the Gaussian of id 2, six on those of id 1."""
    assert persistent_objects(evidence(*[[1, 1, 2]] * 3), 0.9, min_pixels=4).of_gaussian.tolist() == [1, 1, 0]


def test_masks_are_told_by_their_ids() -> None:
    """Ids 7 and 3 go on, 4 and 5 do not; the masks of a view are in the order of their ids."""
    masks = evidence([3, 3, 7, 7, 4], [3, 3, 7, 7, 5])
    found = persistent_objects(masks, 0.9, min_pixels=1)
    assert found.count == 2
    assert masks.given_id.tolist() == [3, 4, 7, 3, 5, 7]
    assert found.of_mask.tolist() == [1, 0, 2, 1, 0, 2]
    assert found.of_gaussian.tolist() == [1, 1, 2, 2, 0]


def test_no_view() -> None:
    assert persistent_objects(evidence([0, 0]), 0.5, min_pixels=1).of_gaussian.tolist() == [0, 0]


OPTIONS = ReliftOptions(min_size=2, min_pixels=1)
NO_CLUSTER = np.zeros(4, dtype=np.int64)


def known(masks: MaskEvidence) -> PersistentObjects:
    return persistent_objects(masks, 0.6, min_pixels=1)


def test_an_object_of_one_gaussian_stands_if_its_id_does() -> None:
    masks = evidence(*[[1, 1, 1, 2]] * 3)
    assert relift(masks, NO_CLUSTER, OPTIONS, 1.0, known(masks)).tolist() == [1, 1, 1, 2]
    assert relift(masks, np.array([1, 1, 1, 2]), OPTIONS, 1.0).tolist() == [1, 1, 1, 0]


def test_what_ids_vouch_for_is_neither_divided_nor_joined() -> None:
    """Views that show both under one mask join clusters; of known objects they say that one id went to both masks."""
    views = [[1, 1, 1, 1]] * 4 + [[1, 1, 2, 2]] * 2
    assert len(set(relift(evidence(*views), np.array([1, 1, 2, 2]), OPTIONS, 1.0).tolist())) == 1
    masks = evidence(*views)
    of_mask = np.where(masks.given_id == 1, 1, 2)
    objects = PersistentObjects(2, np.array([1, 1, 2, 2]), of_mask)
    assert relift(masks, NO_CLUSTER, OPTIONS, 1.0, objects).tolist() == [1, 1, 2, 2]


def test_masks_of_a_known_object_are_its_own_however_little_it_fills_of_them() -> None:
    """A ragged mask of the last Gaussian's object covers all its neighbours in one view of three."""
    masks = evidence([1, 1, 1, 2], [1, 1, 1, 2], [2, 2, 2, 2])
    assert relift(masks, NO_CLUSTER, OPTIONS, 1.0, known(masks)).tolist() == [1, 1, 1, 2]


def test_a_part_without_a_lasting_id_joins_the_known_object_it_is_seen_with() -> None:
    """The first view calls the object by another id; its last Gaussian is seen there, and in one view besides."""
    masks = evidence([8, 8, 8, 8], [1, 1, 1, 1], *[[1, 1, 1, -1]] * 4)
    objects = known(masks)
    assert objects.of_gaussian.tolist()[:3] == [1, 1, 1]
    labels = relift(masks, np.array([0, 0, 0, 1]), OPTIONS, 1.0, objects)
    assert labels.tolist() == [1, 1, 1, 1]
