"""The three protocols on small clouds, hand-computed, and the laws that they obey."""

from pathlib import Path

import numpy as np
import pytest

from s3d_splat.metrics.instances3d import BestOverlap, ClassAgnosticPrecision, ScannetPrecision
from s3d_splat.metrics.object_table import object_table
from s3d_splat.metrics.overlaps import PointLabels, PointMasks, majority_classes
from s3d_splat.metrics.scannet_classes import INSTANCE_CLASSES


def runs(*pairs: tuple[int, int]) -> np.ndarray:
    """Labels given as (label, how many points)."""
    return np.concatenate([np.zeros(0, np.int64), *(np.full(count, label) for label, count in pairs)])


def class_agnostic(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    metric = ClassAgnosticPrecision()
    metric.update(PointLabels(prediction), PointLabels(truth))
    return metric.compute()


def best_overlap(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    metric = BestOverlap()
    metric.update(PointLabels(prediction), PointLabels(truth))
    return metric.compute()


def scannet(prediction: PointLabels | PointMasks, truth: PointLabels, classes: tuple[int, ...] = INSTANCE_CLASSES) -> dict:
    metric = ScannetPrecision(classes)
    metric.update(prediction, truth)
    return metric.compute()


def random_labels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = np.repeat(generator.integers(0, 9, 30), 80)
    noise = np.repeat(generator.random(60) < 0.3, 40)
    return np.where(noise, np.repeat(generator.integers(0, 12, 60), 40), truth), truth


def test_class_agnostic_by_hand() -> None:
    # truth 1: 200, truth 2: 200. Prediction 5 has 170 of truth 1 (IoU .85); 6 has 120 of truth 2 (.6); 7 the other 80 (.4,
    # dropped: under 100 points); 8 lies on 150 points of void, ignored; 30 points of truth 1 unlabelled
    truth = runs((1, 200), (2, 200), (0, 150))
    prediction = runs((5, 170), (0, 30), (6, 120), (7, 80), (8, 150))
    result = class_agnostic(prediction, truth)
    # up to t = .55 both match: AP = 1 (1 + 1) / 2; from .6 to .8 truth 2 is missed and 6 is false: r = p = 1/2,
    # AP = 1/2 (1/2 + 1) / 2; at .85 and .9 (strictly above): nothing matches: r = 0
    assert result["ap50"] == 1.0
    assert result["ap25"] == 1.0
    assert result["ap"] == pytest.approx((2 * 1.0 + 5 * 0.375 + 2 * 0.0) / 9)
    assert result["ar"] == pytest.approx((2 * 1.0 + 5 * 0.5 + 2 * 0.0) / 9)
    assert result["rc50"] == result["rc25"] == result["precision50"] == 1.0


def test_precision50_counts_false_positives_but_not_ignored_predictions() -> None:
    truth = runs((1, 1000), (0, 300))
    prediction = runs((1, 600), (2, 200), (3, 200), (4, 300))  # 1 matches (.6), 2 and 3 are false, 4 lies on void
    assert class_agnostic(prediction, truth)["precision50"] == pytest.approx(1 / 3)


def test_best_overlap_by_hand() -> None:
    # without the void prediction 5 has 100 + 40 points, 6 has 60. Truth 1: 100 / 140; truth 2: max(40 / 200, 60 / 100)
    truth = runs((1, 100), (2, 100), (0, 500))
    prediction = runs((5, 100), (5, 40), (6, 60), (6, 500))
    result = best_overlap(prediction, truth)
    assert result["miou"] == pytest.approx((100 / 140 + 60 / 100) / 2)
    assert result["m50"] == 1.0
    assert best_overlap(runs((5, 50), (6, 50)), runs((1, 100))) == {"miou": 0.5, "m50": 0.0, "m25": 1.0}  # strictly above


def test_best_overlap_gives_each_scene_the_same_weight() -> None:
    metric = BestOverlap()
    metric.update(PointLabels(runs((1, 10))), PointLabels(runs((1, 10))))  # one object, found
    metric.update(PointLabels(runs((0, 30))), PointLabels(runs((1, 10), (2, 10), (3, 10))))  # three objects, none found
    metric.update(PointLabels(runs((1, 10))), PointLabels(runs((0, 10))))  # nothing to measure
    assert metric.compute() == {"miou": 0.5, "m50": 0.5, "m25": 0.5}


def test_a_prediction_may_serve_several_objects_in_best_overlap() -> None:
    result = best_overlap(runs((1, 300)), runs((1, 150), (2, 150)))
    assert result == {"miou": 0.5, "m50": 0.0, "m25": 1.0}


def test_scannet_compares_within_a_class() -> None:
    # a chair (5) predicted as a table (7): the chair is missed, the table has no true instance and is left out of the mean
    truth = PointLabels(runs((1, 200)), runs((5, 200)))
    wrong = PointLabels(runs((1, 200)), runs((7, 200)))
    assert scannet(truth, truth)["ap"] == 1.0
    assert scannet(wrong, truth)["ap"] == 0.0


def test_scannet_splits_one_id_of_two_classes() -> None:
    truth = PointLabels(runs((1, 300)), runs((5, 150), (7, 150)))
    prediction = PointLabels(runs((1, 150), (2, 150)), runs((5, 150), (7, 150)))
    assert scannet(prediction, truth)["ap"] == 1.0


def test_scannet_void_is_no_instance_or_a_class_not_asked_for() -> None:
    # a predicted chair on a floor (2, not among the classes) and one on a table (7)
    floor = PointLabels(runs((1, 200), (2, 200)), runs((5, 200), (2, 200)))
    table = PointLabels(runs((1, 200), (2, 200)), runs((5, 200), (7, 200)))
    chairs = PointLabels(runs((1, 200), (2, 200)), runs((5, 400)))
    assert scannet(chairs, floor)["ap"] == 1.0  # the stray chair is ignored
    # r = 1, p = 1/2 for chairs: AP = 1 (1/2 + 1) / 2; the table is missed
    assert scannet(chairs, table)["ap"] == pytest.approx((0.75 + 0.0) / 2)
    assert scannet(chairs, table, (5,))["ap"] == 1.0


def test_scannet_uses_scores_and_pools_scenes() -> None:
    metric, truth = ScannetPrecision((5,)), PointLabels(runs((1, 200), (0, 200)), runs((5, 200), (7, 200)))
    metric.update(PointLabels(runs((1, 200), (0, 200)), runs((5, 400)), {1: 0.9}), truth)
    nothing = PointLabels(runs((0, 200)), runs((5, 200)))
    metric.update(PointLabels(runs((3, 200)), runs((5, 200)), {3: 0.4}), PointLabels(runs((0, 200)), runs((7, 200))))
    metric.update(nothing, PointLabels(runs((9, 200)), runs((5, 200))))
    # one match at .9, the prediction of scene 2 on void is ignored, one miss: r = 1/2, p = 1
    assert metric.compute()["ap"] == pytest.approx(0.5)


def test_the_class_of_an_instance_is_its_most_frequent_one() -> None:
    labels = PointLabels(runs((1, 9), (2, 4), (3, 2)), runs((0, 5), (7, 2), (5, 2), (7, 3), (5, 1), (0, 2)))
    assert majority_classes(labels) == {1: 5, 2: 7, 3: 0}  # tie of 1: the lowest; 3 has no class


def test_scannet_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="semantic"):
        scannet(PointLabels(runs((1, 100))), PointLabels(runs((1, 100)), runs((5, 100))))


def test_perfect_prediction() -> None:
    truth = runs((1, 150), (2, 50), (3, 400), (0, 100))
    result = class_agnostic(truth, truth)
    assert all(value == 1.0 for value in result.values())
    assert best_overlap(truth, truth) == {"miou": 1.0, "m50": 1.0, "m25": 1.0}


def test_nothing_predicted_and_nothing_true() -> None:
    truth, none, empty = runs((1, 200)), runs((0, 200)), runs()
    zeros = {"ap": 0.0, "ap50": 0.0, "ap25": 0.0, "ar": 0.0, "rc50": 0.0, "rc25": 0.0}
    assert class_agnostic(none, truth) == zeros | {"precision50": None}
    for prediction, nothing in ((truth, none), (empty, empty)):
        assert set(class_agnostic(prediction, nothing).values()) == {None}
        assert set(best_overlap(prediction, nothing).values()) == {None}
    assert best_overlap(none, truth) == {"miou": 0.0, "m50": 0.0, "m25": 0.0}
    bare = PointLabels(empty, empty)
    assert set(scannet(bare, bare).values()) == {None}


@pytest.mark.parametrize("seed", range(5))
def test_permuting_points_and_ids_changes_nothing(seed: int) -> None:
    prediction, truth = random_labels(seed)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(truth))
    new_ids = np.concatenate([[0], generator.permutation(12) + 100])
    for measure in (class_agnostic, best_overlap):
        expected = measure(prediction, truth)
        assert measure(prediction[order], truth[order]) == pytest.approx(expected)
        assert measure(new_ids[prediction], truth) == pytest.approx(expected)
        assert measure(prediction, new_ids[truth]) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_adding_void_changes_nothing(seed: int) -> None:
    prediction, truth = random_labels(seed)
    more = runs((0, 500))
    for measure in (class_agnostic, best_overlap):
        expected = measure(prediction, truth)
        assert measure(np.append(prediction, more), np.append(truth, more)) == expected
    # best-overlap does not even look at what is predicted on void
    ones = runs((3, 500))
    assert best_overlap(np.append(prediction, ones), np.append(truth, more)) == best_overlap(prediction, truth)


def test_splitting_lowers_ap_but_not_best_overlap() -> None:
    truth = runs((1, 1000), (2, 1000))
    split = runs((1, 700), (3, 300), (2, 1000))
    assert class_agnostic(split, truth)["ap"] < class_agnostic(truth, truth)["ap"]
    # an extra segment costs best-overlap nothing: with or without 3
    assert best_overlap(split, truth) == best_overlap(np.where(split == 3, 0, split), truth)


def test_accumulators_add_up() -> None:
    scenes = [random_labels(seed) for seed in range(4)]
    for kind in (ClassAgnosticPrecision, BestOverlap):
        whole, left, right = kind(), kind(), kind()
        for number, (prediction, truth) in enumerate(scenes):
            for metric in (whole, left if number < 2 else right):
                metric.update(PointLabels(prediction), PointLabels(truth))
        left.merge(right)
        assert left.compute() == pytest.approx(whole.compute())
        whole.reset()
        assert set(whole.compute().values()) == {None}


def test_object_table() -> None:
    truth = PointLabels(runs((4, 100), (2, 100), (9, 10), (0, 50)), runs((5, 90), (7, 10), (3, 100), (0, 60)))
    prediction = PointLabels(runs((8, 80), (0, 20), (6, 40), (1, 60), (0, 10), (1, 50)))
    rows = {row.truth_id: row for row in object_table(prediction, truth)}
    assert list(rows) == [2, 4, 9]
    assert (rows[4].class_id, rows[4].points, rows[4].iou, rows[4].best_id, rows[4].matched_id) == (5, 100, 0.8, 8, 8)
    # prediction 1 has 60 of object 2 and 50 of void: 60 / (100 + 110 - 60) with void, 60 / 100 without; 6 has 40 / 100
    assert (rows[2].iou, rows[2].overlap) == (pytest.approx(60 / 150), pytest.approx(60 / 100))
    assert (rows[2].best_id, rows[2].matched_id) == (1, 0)
    assert (rows[9].iou, rows[9].best_id, rows[9].class_id) == (0.0, 0, 0)


def as_masks(labels: PointLabels, classes: dict[int, int]) -> PointMasks:
    ids = [int(i) for i in np.unique(labels.instance) if i > 0]
    masks = np.array([labels.instance == i for i in ids]).reshape(len(ids), -1)
    return PointMasks(
        masks, np.array([classes[i] for i in ids], np.int64), np.array([labels.scores.get(i, 1.0) for i in ids])
    )


@pytest.mark.parametrize("seed", range(3))
def test_masks_that_share_no_points_count_as_labels_do(seed: int) -> None:
    instance, truth = random_labels(seed)
    semantic = np.array([0, *np.random.default_rng(seed).choice([3, 4, 5], 11)])
    scores = dict(zip(range(12), np.random.default_rng(seed).random(12).tolist(), strict=True))
    labels, true = PointLabels(instance, semantic[instance], scores), PointLabels(truth, semantic[truth])
    masks = as_masks(labels, majority_classes(labels))
    assert scannet(masks, true) == scannet(labels, true)
    for metric in (ClassAgnosticPrecision, BestOverlap):
        one, other = metric(), metric()
        one.update(masks, true)
        other.update(labels, true)
        assert one.compute() == other.compute()
    assert [row.iou for row in object_table(masks, true)] == [row.iou for row in object_table(labels, true)]


def test_masks_may_share_points() -> None:
    # two true chairs of 100; one mask holds both (IoU 1/2 with each: no match), one the first alone (found)
    truth = PointLabels(runs((1, 100), (2, 100)), np.full(200, 5))
    masks = np.stack([np.ones(200, bool), np.arange(200) < 100])
    both = PointMasks(masks, np.array([5, 5]), np.array([0.9, 0.8]))
    # at .5: scores .8 true, .9 false; k=0 p 1/2 r 1/2, k=1 p 0 r 0, appended p 1 r 0: 1/2 (1/2 - 0) / 2 + 0 (1/2 - 0) / 2
    # at .25: object 1 takes mask 1 (the better score), mask 2 is false; object 2 finds none left: p 1/2, 1; r 1/2, 1/2
    result = scannet(both, truth)
    assert result["ap50"] == pytest.approx(1 / 2 * (1 / 2 - 0) / 2)
    assert result["ap25"] == pytest.approx(1 / 2 * (1 / 2 - 1 / 2) / 2 + 1 * (1 / 2 - 0) / 2 + 1 * (1 / 2 - 0) / 2)
    metric = BestOverlap()
    metric.update(both, truth)
    assert metric.compute()["miou"] == pytest.approx((1 + 1 / 2) / 2)
    nobody = PointMasks(np.zeros((0, 200), bool), np.zeros(0, np.int64), np.zeros(0))
    assert scannet(nobody, truth)["ap"] == 0.0


REFERENCE = {  # best-overlap of the published predictions of InstanceGaussian: miou, m50, m25
    "scene0000_00": (0.6218, 0.7679, 0.9107),
    "scene0062_00": (0.6476, 0.7059, 0.8824),
    "scene0097_00": (0.7272, 0.8750, 0.9375),
    "scene0200_00": (0.6001, 0.7692, 0.9231),
    "scene0347_00": (0.7359, 0.9524, 1.000),
}


@pytest.mark.data
def test_published_predictions_on_scannet(real_data: Path) -> None:
    pooled = BestOverlap()
    for scene, expected in REFERENCE.items():
        cluster = np.load(real_data / "scannet5" / "instance_gaussian" / f"{scene}.npz")["cluster"]
        prediction = PointLabels(cluster + 1)  # cluster 0 is a segment as well
        truth = PointLabels(np.load(real_data / "scannet5" / "truth" / f"{scene}.npz")["instance"])
        alone = BestOverlap()
        alone.update(prediction, truth)
        pooled.update(prediction, truth)
        assert tuple(alone.compute().values()) == pytest.approx(expected, abs=5e-5)
    assert tuple(pooled.compute().values()) == pytest.approx((0.6665, 0.8141, 0.9307), abs=5e-5)
