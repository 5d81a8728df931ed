"""Text queries on points: by hand, ties, and points that no score speaks about."""

import numpy as np
import pytest

from s3d_splat.metrics.scannet_classes import INSTANCE_CLASSES, NAMES, TEXT_QUERY_CLASSES
from s3d_splat.metrics.text_query import TextQueryQuality, cosine_scores

WALL, CHAIR, TABLE = 1, 5, 7


def one_hot(columns: list[int], classes: int = 2) -> np.ndarray:
    return np.eye(classes)[columns]


def test_by_hand() -> None:
    metric = TextQueryQuality((WALL, CHAIR))
    # wall: 2 of 3 found, chair: 1 of 2 found; the table was not asked for and is not looked at
    truth = np.array([WALL, WALL, WALL, CHAIR, CHAIR, TABLE, 0])
    values = metric.update(one_hot([0, 0, 1, 1, 0, 1, 0]), truth)
    assert values["semantic_miou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert values["semantic_macc"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert values["unscored"] == 0.0
    assert metric.per_class() == {WALL: {"iou": 2 / 4, "recall": 2 / 3}, CHAIR: {"iou": 1 / 3, "recall": 1 / 2}}


def test_only_classes_of_the_scene_are_averaged_and_scenes_weigh_the_same() -> None:
    metric = TextQueryQuality((WALL, CHAIR))
    metric.update(one_hot([0] * 10), np.full(10, WALL))
    metric.update(one_hot([0, 1]), np.array([CHAIR, CHAIR]))
    assert metric.compute()["semantic_miou"] == pytest.approx((1 + 1 / 2) / 2)


def test_a_point_without_scores_takes_the_first_class_as_the_benchmark_does() -> None:
    metric = TextQueryQuality((WALL, CHAIR))
    scores = np.array([[0.0, 0.0], [0.0, 0.0], [0.2, 0.1], [0.1, 0.2]])
    values = metric.update(scores, np.array([WALL, WALL, WALL, CHAIR]))
    assert values["semantic_miou"] == 1.0
    assert values["semantic_miou_no_guess"] == pytest.approx((1 / 3 + 1) / 2)
    assert values["unscored"] == 2 / 4


def test_cosine_ignores_length_and_survives_zero() -> None:
    scores = cosine_scores(np.array([[2.0, 0.0], [0.0, 0.0], [3.0, 4.0]]), np.array([[5.0, 0.0], [0.0, 1.0]]))
    assert scores == pytest.approx(np.array([[1.0, 0.0], [0.0, 0.0], [0.6, 0.8]]))


def test_permuting_points_changes_nothing_and_scenes_add_up() -> None:
    generator = np.random.default_rng(0)
    whole, left, right = (TextQueryQuality((WALL, CHAIR, TABLE)) for _ in range(3))
    for metric in (left, right):
        scores, truth = generator.random((50, 3)), generator.choice([0, WALL, CHAIR, TABLE], 50)
        order = generator.permutation(50)
        assert metric.update(scores, truth) == pytest.approx(whole.update(scores[order], truth[order]))
    left.merge(right)
    assert left.compute() == pytest.approx(whole.compute())
    assert left.per_class() == whole.per_class()
    whole.reset()
    assert set(whole.compute().values()) == {None}


def test_degenerate_input() -> None:
    metric = TextQueryQuality((CHAIR,))
    assert set(metric.update(np.zeros((0, 1)), np.zeros(0, np.int64)).values()) == {None}
    assert set(metric.update(np.ones((2, 1)), np.array([0, WALL])).values()) == {None}
    assert metric.update(np.ones((2, 1)), np.array([CHAIR, CHAIR]))["semantic_miou_no_guess"] == 1.0
    assert metric.compute()["semantic_miou"] == 1.0


def test_class_lists() -> None:
    names = {count: {NAMES[label] for label in labels} for count, labels in TEXT_QUERY_CLASSES.items()}
    assert {count: len(labels) for count, labels in names.items()} == {19: 19, 15: 15, 10: 10}
    assert names[19] - names[15] == {"picture", "refrigerator", "shower curtain", "bathtub"}
    assert names[15] - names[10] == {"cabinet", "counter", "desk", "curtain", "sink"}
    assert set(NAMES) - set(INSTANCE_CLASSES) == {1, 2}
