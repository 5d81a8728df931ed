"""Temporal average precision: the worst visit decides."""

import numpy as np
import pytest

from s3d_splat.metrics.instances3d import ClassAgnosticPrecision
from s3d_splat.metrics.overlaps import PointLabels
from s3d_splat.metrics.temporal import TemporalPrecision, temporal_overlaps


def labels(*pairs: tuple[int, int]) -> PointLabels:
    return PointLabels(np.concatenate([np.zeros(0, np.int64), *(np.full(count, label) for label, count in pairs)]))


def measured(*stages: tuple[PointLabels, PointLabels]) -> dict[str, float | None]:
    metric = TemporalPrecision()
    metric.update(stages)
    return metric.compute()


def test_one_stage_gives_class_agnostic_precision() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat(generator.integers(0, 6, 20), 90)
    prediction = np.where(np.repeat(generator.random(60) < 0.3, 30), 0, truth)
    plain = ClassAgnosticPrecision()
    plain.update(PointLabels(prediction), PointLabels(truth))
    result = measured((PointLabels(prediction), PointLabels(truth)))
    assert result == {f"t_{name}": plain.compute()[name] for name in ("ap", "ap50", "ap25")}


def test_the_worst_visit_decides() -> None:
    # visit 1: IoU 1; visit 2: 60 / 100
    truth = labels((1, 100))
    overlaps = temporal_overlaps([(labels((7, 100)), truth), (labels((7, 60), (0, 40)), truth)])
    assert overlaps.iou.tolist() == [[0.6]]
    assert (overlaps.truth_size.tolist(), overlaps.prediction_size.tolist()) == ([200], [160])


def test_a_changed_id_is_not_found() -> None:
    truth = labels((1, 200))
    same, other = (labels((7, 200)), truth), (labels((8, 200)), truth)
    assert measured(same, same)["t_ap"] == 1.0
    assert measured(same, other)["t_ap"] == 0.0


def test_a_visit_without_the_object_says_nothing_unless_it_is_predicted() -> None:
    shown, gone = (labels((7, 200)), labels((1, 200))), (labels((0, 200)), labels((2, 50), (0, 150)))
    assert measured(shown, gone)["t_ap"] == 1.0
    ghost = (labels((7, 200)), labels((0, 200)))
    assert measured(shown, ghost)["t_ap"] == 0.0


def test_sizes_are_counted_over_all_visits() -> None:
    half = (labels((7, 60)), labels((1, 60)))
    assert measured(half)["t_ap"] is None  # under 100 points
    assert measured(half, half)["t_ap"] == 1.0


def test_places_add_up() -> None:
    good, bad = [(labels((1, 200)), labels((1, 200)))], [(labels((0, 200)), labels((1, 200)))]
    whole, left, right = TemporalPrecision(), TemporalPrecision(), TemporalPrecision()
    whole.update(good)
    whole.update(bad)
    left.update(good)
    right.update(bad)
    left.merge(right)
    assert left.compute() == whole.compute()
    assert whole.compute()["t_ap"] == pytest.approx(1 / 2)  # r = 1/2, p = 1
    assert measured()["t_ap"] is None
