"""Matching and area under the curve, from overlaps written down by hand."""

import numpy as np
import pytest

from s3d_splat.metrics.average_precision import (
    AP_THRESHOLDS,
    DetectionPool,
    Detections,
    InstanceOverlaps,
    average_precision,
    match,
    mean_precision,
)


def overlaps(
    intersection: list[list[int]],
    prediction_size: list[int],
    truth_size: list[int],
    score: list[float] | None = None,
    void: list[int] | None = None,
) -> InstanceOverlaps:
    shared = np.array(intersection, dtype=np.int64).reshape(len(prediction_size), len(truth_size))
    rows, columns = np.array(prediction_size, dtype=np.int64), np.array(truth_size, dtype=np.int64)
    return InstanceOverlaps(
        prediction_size=rows,
        truth_size=columns,
        intersection=shared,
        iou=shared / (rows[:, None] + columns[None, :] - shared),
        void=np.array(void or [0] * len(rows), dtype=np.int64),
        score=np.array(score or [1.0] * len(rows), dtype=np.float64),
    )


def outcome(values: InstanceOverlaps, threshold: float) -> tuple[list[tuple[float, bool]], int]:
    found = match(values, threshold)
    return sorted(zip(found.score.tolist(), found.is_match.tolist(), strict=True)), found.misses


def test_nine_thresholds_without_095() -> None:
    assert AP_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


@pytest.mark.parametrize("threshold", AP_THRESHOLDS)
def test_an_iou_equal_to_the_threshold_does_not_match(threshold: float) -> None:
    percent = round(100 * threshold)
    exact = overlaps([[percent * 10]], [percent * 10], [1000])  # IoU = 10 percent / 1000
    above = overlaps([[percent * 10 + 1]], [percent * 10 + 1], [1000])
    assert outcome(exact, threshold) == ([(1.0, False)], 1)
    assert outcome(above, threshold) == ([(1.0, True)], 0)


def test_the_best_score_is_the_match_and_further_ones_are_false() -> None:
    values = overlaps([[160], [160]], [200, 200], [160], score=[0.3, 0.9])  # both 160 / 200 = 0.8: masks may overlap
    assert outcome(values, 0.5) == ([(0.3, False), (0.9, True)], 0)


def test_true_instances_under_100_points_are_neither_found_nor_missed() -> None:
    assert outcome(overlaps([[80]], [100], [80]), 0.5) == ([], 0)
    assert outcome(overlaps([[0]], [100], [80], void=[50]), 0.5) == ([(1.0, False)], 0)


def test_a_prediction_matches_once() -> None:
    # one prediction over two true instances: IoU 200 / 600 with each, above .25
    values = overlaps([[200, 200]], [600], [200, 200])
    assert outcome(values, 0.25) == ([(1.0, True)], 1)


def test_a_further_prediction_can_still_match_the_next_instance() -> None:
    # truth 1 (200) takes the first; the second overlaps both by 100 / (200 + 200 - 100) = 1/3
    values = overlaps([[100, 0], [100, 100]], [100, 200], [200, 200])
    assert outcome(values, 0.25) == ([(1.0, False), (1.0, True), (1.0, True)], 0)


@pytest.mark.parametrize(("void", "counts"), [(50, True), (51, False)])
def test_a_stray_prediction_mostly_on_void_is_ignored(void: int, counts: bool) -> None:
    values = overlaps([[0]], [100], [100], void=[void])
    assert outcome(values, 0.5) == ([(1.0, False)] if counts else [], 1)


def test_a_stray_prediction_mostly_on_small_truth_is_ignored() -> None:
    # 30 points of void + 30 on a true instance of 99 points > 0.5 * 100; its IoU with it is 30 / 169
    assert outcome(overlaps([[30]], [100], [99], void=[30]), 0.5) == ([], 0)
    # above the threshold with a small true instance: no false positive either, 99 / 101
    assert outcome(overlaps([[99]], [101], [99]), 0.5) == ([], 0)


def test_predictions_under_100_points_are_dropped() -> None:
    assert outcome(overlaps([[99]], [99], [100]), 0.5) == ([], 1)
    assert outcome(overlaps([[100]], [100], [100]), 0.5) == ([(1.0, True)], 0)


def test_area_with_one_score() -> None:
    # 2 matches, 1 false positive, 1 miss: p = 2/3, r = 2/3; AP = 2/3 (2/3 - 0)/2 + 1 (2/3 - 0)/2 = r (p + 1) / 2
    detections = Detections(np.ones(3), np.array([True, True, False]), 1)
    assert average_precision(detections) == pytest.approx(2 / 3 * (2 / 3 + 1) / 2)


def test_area_with_several_scores() -> None:
    # scores .9 match, .8 false, .7 match, 2 misses. Ascending: k=0 (>= .7): p 2/3, r 2/4; k=1 (>= .8): p 1/2, r 1/4;
    # k=2 (>= .9): p 1, r 1/4; appended p 1, r 0.
    detections = Detections(np.array([0.8, 0.9, 0.7]), np.array([False, True, True]), 2)
    expected = 2 / 3 * (2 / 4 - 1 / 4) / 2 + 1 / 2 * (2 / 4 - 1 / 4) / 2 + 1 * (1 / 4 - 0) / 2 + 1 * (1 / 4 - 0) / 2
    assert average_precision(detections) == pytest.approx(expected)


def test_area_of_nothing_is_zero() -> None:
    assert average_precision(Detections(np.zeros(0), np.zeros(0, bool), 3)) == 0.0


def test_pools_add_up() -> None:
    first, second = overlaps([[200]], [200], [200], score=[0.5]), overlaps([[0]], [300], [200], score=[0.7])
    both, left, right = DetectionPool(), DetectionPool(), DetectionPool()
    both.update(first)
    both.update(second)
    left.update(first)
    right.update(second)
    left.merge(right)
    assert mean_precision([left]) == mean_precision([both])
    assert left.truths == 2


def test_nothing_to_find_is_none() -> None:
    pool = DetectionPool()
    pool.update(overlaps([], [100], []))
    assert mean_precision([pool]) == {"ap": None, "ap50": None, "ap25": None}
