"""Panoptic quality on tiny images with the expected value written as arithmetic, and the laws that it obeys."""

import numpy as np
import pytest
import torch

from s3d_splat.metrics.panoptic import CocoPanopticQuality, ScenePanopticQuality, classes_of_labels
from s3d_splat.types import ClassInfo

WALL, CHAIR, TABLE = 1, 5, 7
CLASSES = (ClassInfo(WALL, "wall", False), ClassInfo(CHAIR, "chair", True), ClassInfo(TABLE, "table", True))
Image = tuple[np.ndarray, np.ndarray]  # classes, instances


def row(*segments: tuple[int, int, int]) -> Image:
    """An image of one row, as (class, instance, pixels)."""
    classes = np.concatenate([np.full(count, label) for label, _, count in segments])
    instances = np.concatenate([np.full(count, instance) for _, instance, count in segments])
    return classes[None], instances[None]


def coco(*images: tuple[Image, Image], classes: tuple[ClassInfo, ...] = CLASSES) -> dict[str, float | None]:
    metric = CocoPanopticQuality(classes)
    for prediction, truth in images:
        metric.update(*prediction, *truth)
    return metric.compute()


def scene(*images: tuple[Image, Image], classes: tuple[ClassInfo, ...] = CLASSES) -> dict[str, float | None]:
    metric = ScenePanopticQuality(classes)
    for prediction, truth in images:
        metric.update(*prediction, *truth)
    return metric.compute()


def random_images(seed: int, count: int = 3, void: bool = True) -> list[tuple[Image, Image]]:
    generator = np.random.default_rng(seed)
    class_of_instance = np.array([0 if void else WALL, WALL, CHAIR, CHAIR, CHAIR, TABLE, TABLE])
    images = []
    for _ in range(count):
        truth = np.repeat(np.repeat(generator.integers(0, 7, (6, 8)), 4, axis=0), 4, axis=1)
        noise = np.repeat(np.repeat(generator.random((12, 16)) < 0.3, 2, axis=0), 2, axis=1)
        prediction = np.where(noise, generator.integers(0, 7, truth.shape), truth)
        images.append(((class_of_instance[prediction], prediction), (class_of_instance[truth], truth)))
    return images


def test_coco_by_hand() -> None:
    truth = row((WALL, 0, 10), (CHAIR, 1, 10), (CHAIR, 2, 10), (TABLE, 3, 4))
    prediction = row((WALL, 0, 8), (CHAIR, 9, 8), (CHAIR, 8, 14), (TABLE, 3, 1), (WALL, 0, 3))
    # pixels 0-7 wall; 8-15 chair 9 (2 on wall, 6 on chair 1); 16-29 chair 8 (4 on chair 1, 10 on chair 2); 30 table (1 of 4)
    wall, chair_1, chair_2 = 8 / (11 + 10 - 8), 6 / (8 + 10 - 6), 10 / (14 + 10 - 10)
    assert chair_1 == 0.5  # not above one half: no match
    pq_wall, pq_chair, pq_table = wall / 1, chair_2 / (1 + 1 / 2 + 1 / 2), 0.0
    result = coco((prediction, truth))
    assert result["pq"] == pytest.approx((pq_wall + pq_chair + pq_table) / 3)
    assert result["sq"] == pytest.approx((wall + chair_2 + 0) / 3)
    assert result["rq"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert result["pq_th"] == pytest.approx((pq_chair + pq_table) / 2)
    assert result["pq_st"] == pytest.approx(pq_wall)


def test_coco_takes_true_void_out_of_the_union_but_not_predicted_void() -> None:
    truth = row((CHAIR, 1, 10), (0, 0, 10))
    assert coco((row((CHAIR, 1, 20)), truth))["pq"] == 1.0  # 10 / (20 + 10 - 10 - 10)
    prediction = row((CHAIR, 1, 6), (0, 0, 14))
    assert coco((prediction, truth))["pq"] == pytest.approx(6 / 10)


def test_coco_ignores_predictions_on_void_and_on_the_crowd_of_their_class() -> None:
    truth = row((CHAIR, 1, 10), (0, 0, 6), (CHAIR, 0, 10))
    perfect = row((CHAIR, 1, 10), (0, 0, 16))
    assert coco((perfect, truth))["pq"] == 1.0  # the crowd is not missed
    assert coco((row((CHAIR, 1, 10), (CHAIR, 2, 16)), truth))["pq"] == 1.0
    assert coco((row((CHAIR, 1, 10), (0, 0, 6), (CHAIR, 2, 10)), truth))["pq"] == 1.0  # nor matched
    assert coco((row((CHAIR, 1, 10), (TABLE, 2, 16)), truth))["pq"] == pytest.approx(
        (1 + 0) / 2
    )  # another class: 6 / 16 void
    half = row((CHAIR, 1, 5), (CHAIR, 2, 10), (0, 0, 11))  # 5 on chair 1, 5 of 10 on void: not more than half
    assert coco((half, truth))["rq"] == 0.0
    assert coco((half, truth))["pq"] == 0.0


def test_coco_always_misses_unmatched_truth() -> None:
    truth = row((CHAIR, 1, 10), (CHAIR, 2, 10))
    assert coco((row((CHAIR, 1, 10), (0, 0, 10)), truth))["pq"] == pytest.approx(1 / (1 + 1 / 2))


def test_coco_segments_live_in_one_image() -> None:
    truth = row((CHAIR, 1, 10))
    images = [(row((CHAIR, 3, 10)), truth), (row((CHAIR, 4, 10)), truth)]
    assert coco(*images)["pq"] == 1.0
    # in a scene they are two predictions of one object: 10 / (10 + 20 - 10) is not above one half
    assert scene(*images)["pq"] == 0.0


def test_scene_by_hand() -> None:
    truth = row((WALL, 0, 20), (CHAIR, 1, 10), (CHAIR, 2, 10), (0, 0, 60))
    prediction = row((WALL, 3, 20), (CHAIR, 1, 8), (0, 0, 2), (0, 0, 6), (CHAIR, 5, 4), (CHAIR, 1, 60))
    result = scene((prediction, truth))
    # the 60 pixels of true class 0 are dropped. chair 1: 8 / (8 + 10 - 2 under predicted void - 8) = 1; chair 2, 6 of 10
    # under predicted void, matches prediction 5: 4 / (4 + 10 - 6 - 4) = 1
    assert result["pq"] == 1.0
    # strict: chair 1: 8 / (8 + 10 - 8); chair 2: 4 / (4 + 10 - 4) = .4, missed, and 5 is false
    assert result["pq_strict"] == pytest.approx((1 + 0.8 / (1 + 1 / 2 + 1 / 2)) / 2)
    assert (result["pq_th"], result["pq_st"]) == (1.0, 1.0)


def test_scene_excuses_truth_mostly_under_predicted_void() -> None:
    truth = row((CHAIR, 1, 10), (CHAIR, 2, 10))
    hidden = row((CHAIR, 1, 10), (0, 0, 6), (WALL, 0, 4))
    assert scene((hidden, truth), classes=CLASSES[1:])["pq"] == 1.0  # an unlisted class is void as well
    assert scene((hidden, truth))["pq_th"] == 1.0
    assert scene((hidden, truth))["pq"] == pytest.approx((1 + 0) / 2)  # the wall is there, and false
    half = row((CHAIR, 1, 10), (0, 0, 5), (WALL, 0, 5))
    assert scene((half, truth))["pq_th"] == pytest.approx(1 / (1 + 1 / 2))
    strict = scene((row((CHAIR, 1, 10), (0, 0, 10)), truth))
    assert (strict["pq"], strict["pq_strict"]) == (1.0, pytest.approx(1 / (1 + 1 / 2)))


def test_scene_ignores_predictions_mostly_on_an_unlisted_class() -> None:
    classes = CLASSES[:2]
    truth = row((CHAIR, 1, 10), (TABLE, 3, 10))
    assert scene((row((CHAIR, 1, 10), (CHAIR, 2, 10)), truth), classes=classes)["pq"] == 1.0
    assert scene((row((CHAIR, 1, 20)), truth), classes=classes)["pq"] == 1.0  # 10 / (20 - 10 + 10 - 10)


def test_scene_keeps_things_without_instance_as_a_segment() -> None:
    truth = row((CHAIR, 0, 10), (CHAIR, 1, 10))
    assert scene((truth, truth))["pq"] == 1.0
    assert scene((row((CHAIR, 0, 10), (0, 0, 4), (TABLE, 1, 6)), truth))["pq_th"] == pytest.approx((1 / (1 + 1 / 2) + 0) / 2)


def test_stuff_ids_count_for_nothing() -> None:
    truth, prediction = row((WALL, 1, 5), (WALL, 2, 5)), row((WALL, 7, 10))
    assert scene((prediction, truth))["pq"] == coco((prediction, truth))["pq"] == 1.0


def test_filtered_leaves_rare_classes_out_on_both_sides() -> None:
    # 1000 kept pixels, so that fewer than 5 are rare: 4 of table in the truth, none in the prediction
    truth = row((WALL, 0, 496), (CHAIR, 1, 500), (TABLE, 2, 4))
    prediction = row((WALL, 0, 496), (CHAIR, 1, 504))
    result = scene((prediction, truth))
    chair = 500 / 504
    assert result["pq"] == pytest.approx((1 + chair + 0) / 3)
    assert result["pq_filtered"] == 1.0  # the 4 pixels are void: 500 / (504 - 4 + 500 - 500)
    truth = row((WALL, 0, 495), (CHAIR, 1, 500), (TABLE, 2, 5))
    prediction = row((WALL, 0, 495), (CHAIR, 1, 505))
    assert scene((prediction, truth))["pq_filtered"] == pytest.approx((1 + 500 / 505 + 0) / 3)


def test_nothing_to_measure_is_none() -> None:
    nothing = row((0, 0, 10))
    for metric in (coco, scene):
        assert set(metric((nothing, nothing)).values()) == {None}
        assert set(metric().values()) == {None}
        result = metric((row((CHAIR, 1, 10)), row((CHAIR, 1, 10))))
        assert (result["pq_th"], result["pq_st"]) == (1.0, None)
    assert scene((nothing, row((CHAIR, 1, 10))))["pq"] == 0.0
    assert coco((nothing, row((CHAIR, 1, 10))))["pq"] == 0.0


def test_classes_present_only_in_the_prediction_count() -> None:
    truth, prediction = row((WALL, 0, 20)), row((WALL, 0, 15), (CHAIR, 1, 5))
    assert scene((prediction, truth))["pq"] == pytest.approx((15 / 20 + 0) / 2)
    assert coco((prediction, truth))["pq"] == pytest.approx((15 / 20 + 0) / 2)


def test_per_class_rows() -> None:
    metric = ScenePanopticQuality(CLASSES)
    metric.update(*row((CHAIR, 1, 8), (CHAIR, 2, 2)), *row((CHAIR, 1, 10)))
    assert metric.per_class() == [
        {"id": CHAIR, "name": "chair", "is_thing": True, "pq": pytest.approx(0.8 / 1.5), "sq": 0.8}
        | {"rq": pytest.approx(1 / 1.5), "matches": 1, "false_positives": 1, "misses": 0}
    ]


def test_classes_of_images_without_a_table() -> None:
    truth = row((WALL, 0, 2), (CHAIR, 0, 2), (CHAIR, 4, 1), (0, 3, 5))
    prediction = row((TABLE, 2, 10))
    classes = classes_of_labels([(prediction[0], *truth)])
    assert [(info.id, info.is_thing) for info in classes] == [(WALL, False), (CHAIR, True), (TABLE, False)]


def test_labels_that_no_file_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="65535"):
        scene((row((70000, 0, 4)), row((1, 0, 4))))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("measure", [coco, scene])
def test_laws(measure, seed: int) -> None:
    images = random_images(seed)
    expected = measure(*images)
    generator = np.random.default_rng(seed)
    ids = np.concatenate([[0], generator.permutation(6) + 500])
    renumbered = [((p[0], ids[p[1]]), t) for p, t in images]
    assert measure(*renumbered) == pytest.approx(expected)
    assert measure(*images[::-1]) == pytest.approx(expected)
    order = generator.permutation(images[0][0][0].size)
    shuffled = [tuple(tuple(a.ravel()[order][None] for a in side) for side in image) for image in images]
    assert measure(*shuffled) == pytest.approx(expected)
    perfect = measure(*((t, t) for _, t in images))
    assert all(value == 1.0 for value in perfect.values())
    # true void added around the images, whatever is predicted there as long as it is void as well
    padded = [tuple(tuple(np.pad(a, 3) for a in side) for side in image) for image in images]
    assert measure(*padded) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_splitting_an_object_lowers_pq(seed: int) -> None:
    images = [(t, t) for _, t in random_images(seed)]
    halves = []
    for (classes, instances), truth in images:
        left = (np.arange(classes.shape[1]) % 2 == 0)[None] & (instances == 3)
        halves.append(((classes, np.where(left, 77, instances)), truth))
    for measure in (coco, scene):
        assert measure(*halves)["pq"] < measure(*images)["pq"]


@pytest.mark.parametrize("seed", range(6))
def test_leaving_an_object_unlabelled_never_raises_strict(seed: int) -> None:
    images = random_images(seed)
    before = scene(*images)["pq_strict"]
    for instance in range(1, 7):
        without = [((np.where(t[1] == instance, 0, p[0]), np.where(t[1] == instance, 0, p[1])), t) for p, t in images]
        # only where the object was found: giving up a wrong label is no loss
        hits = sum(int(((p[1] == instance) & (t[1] == instance)).sum()) for p, t in images)
        size = sum(int(((p[1] == instance) | (t[1] == instance)).sum()) for p, t in images)
        if hits > size / 2:
            own = [((np.where(p[1] == instance, 0, p[0]), np.where(p[1] == instance, 0, p[1])), t) for p, t in images]
            assert scene(*own)["pq_strict"] <= before + 1e-12
        assert scene(*without)["pq_strict"] <= 1.0
    perfect = [(t, t) for _, t in images]
    holes = [((np.where(t[1] == 3, 0, t[0]), t[1]), t) for _, t in images]
    assert scene(*holes)["pq_strict"] < scene(*perfect)["pq_strict"]


@pytest.mark.parametrize("measure", [CocoPanopticQuality, ScenePanopticQuality])
def test_accumulators_add_up(measure) -> None:
    images = random_images(0, count=4)
    whole, left, right = (measure(CLASSES) for _ in range(3))
    for number, (prediction, truth) in enumerate(images):
        whole.update(*prediction, *truth)
        (left if number < 2 else right).update(*prediction, *truth)
    left.merge(right)
    assert left.compute() == pytest.approx(whole.compute())
    assert left.per_class() == whole.per_class()
    whole.reset()
    assert set(whole.compute().values()) == {None}


@pytest.mark.parametrize("seed", range(3))
def test_coco_agrees_with_torchmetrics(seed: int) -> None:
    """Without void and crowds on either side both follow Kirillov et al. (class means over what counts)."""
    from torchmetrics.detection import PanopticQuality

    images = [((p[0], p[1] + 1), (t[0], t[1] + 1)) for p, t in random_images(seed, void=False)]
    theirs = PanopticQuality(things={CHAIR, TABLE}, stuffs={WALL}, return_sq_and_rq=True)
    for prediction, truth in images:
        theirs.update(*(torch.from_numpy(np.stack(side, axis=-1))[None] for side in (prediction, truth)))
    pq, sq, rq = theirs.compute().tolist()
    ours = coco(*images)
    assert (ours["pq"], ours["sq"], ours["rq"]) == pytest.approx((pq, sq, rq), abs=1e-6)
