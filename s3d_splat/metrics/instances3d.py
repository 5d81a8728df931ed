"""3D instances against per-point truth, in three protocols: `scannet`, `class-agnostic` and `best-overlap`.

The protocols answer different questions, and best-overlap hides over-segmentation: quote it with AP beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from s3d_splat.metrics.average_precision import (
    AP_THRESHOLDS,
    DetectionPool,
    InstanceOverlaps,
    average_precision,
    mean_precision,
    precision,
    recall,
)
from s3d_splat.metrics.contingency import contingency, intersection_over_union

# NYU40 ids of the 18 classes of the ScanNet instance benchmark
SCANNET_CLASSES = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)


@dataclass(frozen=True)
class PointLabels:
    """Labels of the n points of one scene; an instance that `scores` does not list has score 1."""

    instance: Int[np.ndarray, " n"]  # 0 = none
    semantic: Int[np.ndarray, " n"] | None = None  # class ids, 0 = unlabelled
    scores: Mapping[int, float] = field(default_factory=dict)


class ScannetPrecision:
    """Protocol `scannet`: average precision per class, pooled over scenes, then the mean over classes.

    A true instance is a pair (instance, class); points without instance, or of a class that is not asked for, are void. The
    class of a predicted instance is the most frequent non-zero class of its points (the lowest id of equals).
    """

    def __init__(self, classes: Sequence[int] = SCANNET_CLASSES) -> None:
        self.classes = tuple(classes)
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.pools = {label: DetectionPool() for label in self.classes}

    def update(self, prediction: PointLabels, truth: PointLabels) -> None:
        """Add one scene.

        Raises:
            ValueError: a labelling lacks its classes.
        """
        for label, overlaps in overlaps_by_class(prediction, truth, self.classes).items():
            self.pools[label].update(overlaps)

    def merge(self, other: ScannetPrecision) -> None:
        """Add what another accumulator of the same classes has seen."""
        for label, pool in other.pools.items():
            self.pools[label].merge(pool)

    def compute(self) -> dict[str, float | None]:
        """`ap ap50 ap25`."""
        return mean_precision(list(self.pools.values()))

    def per_class(self) -> dict[int, dict[str, float | None]]:
        """`ap ap50 ap25` of every class, None for a class without a true instance to find."""
        return {label: mean_precision([pool]) for label, pool in self.pools.items()}


class ClassAgnosticPrecision:
    """Protocol `class-agnostic`: as `scannet` with one class, every truth id an instance, and every score 1."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.pool = DetectionPool()

    def update(self, prediction: PointLabels, truth: PointLabels) -> None:
        """Add one scene; classes and scores are not used."""
        self.pool.update(class_agnostic_overlaps(prediction, truth))

    def merge(self, other: ClassAgnosticPrecision) -> None:
        """Add what another accumulator has seen."""
        self.pool.merge(other.pool)

    def compute(self) -> dict[str, float | None]:
        """`ap ap50 ap25 ar rc50 rc25 precision50`.

        `rc50`, `rc25` are recalls with all predictions, `ar` is the mean recall over the nine thresholds. `precision50` is
        the number of matches at IoU > .5 over the number of predictions that count there: those with at least 100 points
        that are not ignored (an unmatched prediction is ignored if more than half of it is void or on true instances under
        100 points; one that fits such a small instance is ignored too). With nothing to find the rest is None; with no
        prediction that counts `precision50` is None.
        """
        at_half = self.pool.at(0.5)
        result = mean_precision([self.pool]) | {"ar": None, "rc50": None, "rc25": None, "precision50": precision(at_half)}
        if self.pool.truths:
            result["ar"] = float(np.mean([recall(self.pool.at(t)) for t in AP_THRESHOLDS]))
            result["rc50"] = recall(at_half)
            result["rc25"] = recall(self.pool.at(0.25))
        return result

    def average_precision_at(self, threshold: float) -> float | None:
        """Average precision at one of the thresholds; None with nothing to find."""
        return average_precision(self.pool.at(threshold)) if self.pool.truths else None


class BestOverlap:
    """Protocol `best-overlap` (OpenGaussian, InstanceGaussian): the best IoU that each true instance finds.

    Points without a true instance are removed first. A prediction may serve several true instances and extra ones cost
    nothing.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.sums = np.zeros(3)
        self.scenes = 0

    def update(self, prediction: PointLabels, truth: PointLabels) -> None:
        """Add one scene; a scene without a true instance has nothing to measure and does not count."""
        best = np.array(list(best_overlaps(prediction, truth).values()))
        if len(best):
            self.sums = self.sums + np.array([best.mean(), (best > 0.5).mean(), (best > 0.25).mean()])
            self.scenes += 1

    def merge(self, other: BestOverlap) -> None:
        """Add what another accumulator has seen."""
        self.sums = self.sums + other.sums
        self.scenes += other.scenes

    def compute(self) -> dict[str, float | None]:
        """`miou` (mean best IoU), `m50`, `m25` (share strictly above .5, .25): means over scenes of equal weight."""
        means = self.sums / self.scenes if self.scenes else (None, None, None)
        return {
            name: None if value is None else float(value) for name, value in zip(("miou", "m50", "m25"), means, strict=True)
        }


def best_overlaps(prediction: PointLabels, truth: PointLabels) -> dict[int, float]:
    """The highest IoU of each true instance over all predicted ones, 0 if none, where only labelled points count."""
    labelled = truth.instance > 0
    table = contingency(prediction.instance[labelled], truth.instance[labelled])
    iou = intersection_over_union(table.counts, table.counts.sum(axis=1), table.counts.sum(axis=0))
    best = iou[table.row_labels > 0].max(axis=0, initial=0.0)
    return dict(zip(table.column_labels.tolist(), best.tolist(), strict=True))


def class_agnostic_overlaps(prediction: PointLabels, truth: PointLabels) -> InstanceOverlaps:
    """Overlaps of all predicted with all true instances of one scene; every score is 1."""
    table = contingency(prediction.instance, truth.instance)
    predicted, true = table.row_labels > 0, table.column_labels > 0
    prediction_size, truth_size = table.counts.sum(axis=1)[predicted], table.counts.sum(axis=0)[true]
    intersection = table.counts[np.ix_(predicted, true)]
    return InstanceOverlaps(
        prediction_size=prediction_size,
        truth_size=truth_size,
        intersection=intersection,
        iou=intersection_over_union(intersection, prediction_size, truth_size),
        void=table.counts[predicted][:, ~true].sum(axis=1),
        score=np.ones(len(prediction_size)),
    )


def overlaps_by_class(prediction: PointLabels, truth: PointLabels, classes: Sequence[int]) -> dict[int, InstanceOverlaps]:
    """Overlaps of predicted with true instances of the same class, for every class that is asked for.

    Raises:
        ValueError: a labelling lacks its classes.
    """
    if prediction.semantic is None or truth.semantic is None:
        raise ValueError("protocol scannet compares instances of one class: both labellings need `semantic`")
    span = int(truth.instance.max(initial=0)) + 1
    is_valid = (truth.instance > 0) & np.isin(truth.semantic, classes)
    codes = np.where(is_valid, truth.semantic.astype(np.int64) * span + truth.instance, 0)
    table = contingency(prediction.instance, codes)
    rows = table.row_labels > 0
    prediction_size, truth_size = table.counts.sum(axis=1), table.counts.sum(axis=0)
    void = table.counts[:, table.column_labels == 0].sum(axis=1)
    row_class = majority_classes(prediction)
    score = np.array([prediction.scores.get(int(label), 1.0) for label in table.row_labels], dtype=np.float64)
    result = {}
    for label in classes:
        row = np.flatnonzero(rows & (np.array([row_class.get(int(i), 0) for i in table.row_labels]) == label))
        column = np.flatnonzero((table.column_labels > 0) & (table.column_labels // span == label))
        intersection = table.counts[np.ix_(row, column)]
        iou = intersection_over_union(intersection, prediction_size[row], truth_size[column])
        result[label] = InstanceOverlaps(
            prediction_size[row], truth_size[column], intersection, iou, void[row], score[row].astype(np.float64)
        )
    return result


def majority_classes(labels: PointLabels) -> dict[int, int]:
    """The most frequent non-zero class of each instance's points (the lowest of equals); 0 for an instance without any."""
    if labels.semantic is None or len(labels.instance) == 0:
        return {}
    table = contingency(labels.instance, labels.semantic)
    counts = np.where(table.column_labels > 0, table.counts, 0)
    winners = np.where(counts.max(axis=1, initial=0) > 0, table.column_labels[counts.argmax(axis=1)], 0)
    return {int(i): int(c) for i, c in zip(table.row_labels, winners, strict=True) if i > 0}
