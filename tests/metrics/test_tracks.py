"""Ids over short videos of two objects on a small image."""

import numpy as np
import pytest

from s3d_splat.metrics.tracks import TrackQuality


def frame(left: int, right: int) -> np.ndarray:
    """An image of 10 x 30 pixels: 100 of one id, 50 of none, 150 of another."""
    image = np.zeros((10, 30), np.int32)
    image[:, :10], image[:, 15:] = left, right
    return image


def measured(predictions: list[np.ndarray], truths: list[np.ndarray], things: set[int] | None = None) -> dict:
    metric = TrackQuality(things)
    for prediction, truth in zip(predictions, truths, strict=True):
        metric.update(prediction, truth)
    metric.end_video()
    return metric.compute()


TRUTH = [frame(1, 2)] * 10


def test_perfect_under_other_ids() -> None:
    assert measured([frame(7, 5)] * 10, TRUTH) == {"idf1": 1.0, "id_kept": 1.0}


def test_a_changed_id_counts_as_one_track_only() -> None:
    # object 1 is 7 in 6 frames and 8 in 4: IDTP = 6 + 10 of 20 true and 20 predicted detections
    result = measured([frame(7, 5)] * 6 + [frame(8, 5)] * 4, TRUTH)
    assert result == {"idf1": pytest.approx(2 * 16 / 40), "id_kept": 0.5}


def test_ids_are_assigned_one_to_one() -> None:
    # id 7 is object 1 for 4 frames, then object 2 for 6; id 8 the other way round: IDTP = max(4 + 4, 6 + 6)
    result = measured([frame(7, 8)] * 4 + [frame(8, 7)] * 6, TRUTH)
    assert result["idf1"] == pytest.approx(2 * 12 / 40)
    assert result["id_kept"] == 0.0  # 60 % each


def test_ninety_percent_is_enough() -> None:
    assert measured([frame(7, 5)] * 9 + [frame(8, 5)], TRUTH)["id_kept"] == 1.0


def test_one_id_for_two_objects_is_kept_by_neither() -> None:
    result = measured([frame(7, 7)] * 10, TRUTH)
    assert result["id_kept"] == 0.0
    # 7 has 250 pixels; with object 2 its IoU is 150 / 250: 10 agreeing of 20 true and 10 predicted detections
    assert result["idf1"] == pytest.approx(2 * 10 / 30)


def test_a_weak_mask_keeps_its_id_without_a_match() -> None:
    weak = frame(7, 5)
    weak[:, 3:10] = 0  # 30 of 100 pixels: no match, but nothing else covers the object
    result = measured([weak] * 10, TRUTH)
    assert result == {"idf1": pytest.approx(2 * 10 / 40), "id_kept": 1.0}


def test_only_things_seen_long_and_large_enough_are_judged() -> None:
    assert measured([frame(7, 5)] * 4, TRUTH[:4])["id_kept"] is None
    small = [image.copy() for image in TRUTH]
    for image in small:
        image[0, 0] = 0  # 99 pixels
    assert measured([frame(0, 5)] * 10, small)["id_kept"] == 1.0
    assert measured([frame(0, 5)] * 10, TRUTH)["id_kept"] == 0.5
    assert measured([frame(0, 5)] * 10, TRUTH, things={2})["id_kept"] == 1.0


def test_nothing_at_all() -> None:
    nothing = [np.zeros((4, 4), np.int32)]
    assert measured(nothing, nothing) == {"idf1": None, "id_kept": None}
    assert measured(nothing, [np.ones((4, 4), np.int32)])["idf1"] == 0.0
    assert TrackQuality().compute() == {"idf1": None, "id_kept": None}


def test_videos_add_up_and_do_not_share_ids() -> None:
    whole, left, right = TrackQuality(), TrackQuality(), TrackQuality()
    for metric, prediction in ((left, frame(7, 5)), (right, frame(5, 7))):
        for target in (whole, metric):
            for truth in TRUTH:
                target.update(prediction, truth)
            target.end_video()
    left.merge(right)
    assert left.compute() == whole.compute() == {"idf1": 1.0, "id_kept": 1.0}
    whole.reset()
    assert whole.compute() == {"idf1": None, "id_kept": None}
