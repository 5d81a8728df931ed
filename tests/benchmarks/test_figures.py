"""Objects merged, long ones in parts, small ones lost: made by hand."""

import numpy as np
import pytest

from benchmarks.instances import figures


def ids(*runs: tuple[int, int]) -> np.ndarray:
    """(id, count) one after the other."""
    return np.concatenate([np.full(count, label) for label, count in runs])


TRUE = ids((1, 100), (2, 50), (3, 20), (0, 10))


def test_a_segment_over_two_things_is_merged() -> None:
    """Segment 7 holds object 1 and 6 of the 50 points of object 2 (over 10 %), segment 8 the rest, segment 9 object 3."""
    predicted = ids((7, 106), (8, 44), (9, 20), (0, 10))
    assert figures.merged_share(predicted, TRUE, {1, 2, 3}) == pytest.approx(1 / 3)


def test_a_tenth_of_a_thing_is_not_over_a_tenth() -> None:
    predicted = ids((7, 105), (8, 45), (9, 20), (0, 10))
    assert figures.merged_share(predicted, TRUE, {1, 2, 3}) == 0


def test_stuff_may_lie_under_a_segment_with_a_thing() -> None:
    predicted = ids((7, 150), (9, 20), (0, 10))
    assert figures.merged_share(predicted, TRUE, {1, 3}) == 0
    assert figures.merged_share(predicted, TRUE, {1, 2, 3}) == 1 / 2


def test_nothing_predicted_has_no_share_of_merged_segments() -> None:
    assert figures.merged_share(np.zeros(180, np.int64), TRUE, {1, 2}) is None


@pytest.mark.parametrize(
    ("predicted", "whole"),
    [
        (ids((4, 100)), 1),
        (ids((4, 90), (5, 10)), 1),
        (ids((4, 89), (5, 11)), 0),
        (ids((4, 54), (5, 6), (0, 40)), 1),  # nine tenths of the labelled points
        (ids((4, 49), (0, 51)), 0),  # too few of them are labelled
        (ids((0, 100)), 0),
    ],
)
def test_an_object_is_whole_in_one_segment(predicted: np.ndarray, whole: float) -> None:
    assert figures.whole_share(predicted, ids((1, 100)), {1}) == whole


def test_shares_are_over_the_objects_asked_for() -> None:
    predicted = ids((7, 100), (8, 25), (9, 25), (6, 20), (0, 10))
    assert figures.whole_share(predicted, TRUE, {1, 2}) == 1 / 2
    assert figures.whole_share(predicted, TRUE, set()) is None
    assert figures.whole_share(predicted, TRUE, {99}) is None


def test_an_object_is_found_where_the_iou_is_over_one_half() -> None:
    """Object 3: 20 points, in segment 6 with 20 others: IoU 20 / 40; without one of them 20 / 39."""
    assert figures.found_share(ids((7, 150), (6, 20), (0, 10)), TRUE, {2, 3}) == 1 / 2
    assert figures.found_share(ids((7, 130), (6, 40), (0, 10)), TRUE, {3}) == 0
    assert figures.found_share(ids((7, 131), (6, 39), (0, 10)), TRUE, {3}) == 1
    assert figures.found_share(np.zeros(180, np.int64), TRUE, {3}) == 0


def test_lengths_are_the_longest_side_of_the_box() -> None:
    xyz = np.array([[0, 0, 0], [1, 2, 0.5], [9, 9, 9], [0, 0, 0]], dtype=np.float64)
    assert figures.lengths(xyz, np.array([5, 5, 2, 0])) == {5: 2.0, 2: 0.0}


def test_sightings_count_images_with_enough_pixels() -> None:
    first = np.zeros((4, 5), np.int64)
    first[0], first[1, :4], first[2, 0] = 1, 2, 3
    assert figures.sightings([first, first], least_pixels=4) == {1: 2, 2: 2}
    assert figures.sightings([first, np.zeros_like(first)], least_pixels=5) == {1: 1}


def test_long_and_small_objects_are_things() -> None:
    length = {1: 2.5, 2: 2.0, 3: 0.09, 4: 0.09, 5: 3.0, 6: 0.1}
    assert figures.long_objects(length, {1, 2, 3, 4}) == {1}
    assert figures.small_objects(length, {3: 5, 4: 4, 6: 9}, {1, 2, 3, 4, 6}) == {3}
