"""Semantic IoU on a handful of labels."""

import numpy as np
import pytest

from s3d_splat.metrics.semantic import SemanticIoU


def measured(prediction: list[int], truth: list[int]) -> dict[str, float | None]:
    metric = SemanticIoU()
    metric.update(np.array(prediction, dtype=np.int64), np.array(truth, dtype=np.int64))
    return metric.compute()


def test_by_hand() -> None:
    # the last element is dropped. class 1: 2 / (2 + 3 - 2 = 3); class 2: 1 / (2 + 3 - 1); predicted 3 has no IoU of its own
    result = measured([1, 1, 2, 2, 3, 0, 9], [1, 1, 1, 2, 2, 2, 0])
    assert result["semantic_miou"] == pytest.approx((2 / 3 + 1 / 4) / 2)
    assert result["semantic_macc"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_edges() -> None:
    assert measured([1, 2], [1, 2]) == {"semantic_miou": 1.0, "semantic_macc": 1.0}
    assert measured([0, 0], [1, 2]) == {"semantic_miou": 0.0, "semantic_macc": 0.0}
    assert measured([1, 2], [0, 0]) == {"semantic_miou": None, "semantic_macc": None}
    assert measured([], []) == {"semantic_miou": None, "semantic_macc": None}


def test_images_add_up() -> None:
    generator = np.random.default_rng(0)
    prediction, truth = generator.integers(0, 5, (2, 6, 4, 4))
    whole, left, right = SemanticIoU(), SemanticIoU(), SemanticIoU()
    whole.update(prediction, truth)
    for part, half in ((left, slice(0, 3)), (right, slice(3, 6))):
        part.update(prediction[half], truth[half])
    left.merge(right)
    assert left.compute() == whole.compute()
    assert left.per_class() == whole.per_class()
    whole.reset()
    assert whole.compute() == {"semantic_miou": None, "semantic_macc": None}
