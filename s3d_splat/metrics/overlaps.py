"""How predicted instances of one scene overlap its true ones, whether each point has one label or masks share points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.metrics.average_precision import InstanceOverlaps
from s3d_splat.metrics.contingency import contingency, intersection_over_union


@dataclass(frozen=True)
class PointLabels:
    """Labels of the n points of one scene; an instance that `scores` does not list has score 1."""

    instance: Int[np.ndarray, " n"]  # 0 = none
    semantic: Int[np.ndarray, " n"] | None = None  # class ids, 0 = unlabelled
    scores: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PointMasks:
    """Predicted instances of the n points of one scene as masks, which may share points. Their ids are 1, 2 ... p."""

    masks: Bool[np.ndarray, "p n"]
    class_id: Int[np.ndarray, " p"]
    score: Float[np.ndarray, " p"]


Prediction = PointLabels | PointMasks


@dataclass(frozen=True)
class PredictionCounts:
    """Points that each predicted instance shares with each label of the truth, label 0 ("none") included."""

    ids: Int[np.ndarray, " p"]
    class_id: Int[np.ndarray, " p"]  # 0 = unknown
    score: Float[np.ndarray, " p"]
    labels: Int[np.ndarray, " c"]  # of the truth, ascending
    label_size: Int[np.ndarray, " c"]
    counts: Int[np.ndarray, "p c"]

    @property
    def size(self) -> Int[np.ndarray, " p"]:
        """Points of each predicted instance."""
        return self.counts.sum(axis=1)


def count_predictions(prediction: Prediction, truth: Int[np.ndarray, " n"]) -> PredictionCounts:
    """Cross-count predicted instances and the labels of the same points (0 = none)."""
    if isinstance(prediction, PointMasks):
        labels, column, label_size = np.unique(np.maximum(truth, 0), return_inverse=True, return_counts=True)
        counts = [np.bincount(column[mask], minlength=len(labels)) for mask in prediction.masks]
        stacked = np.array(counts, dtype=np.int64).reshape(len(counts), len(labels))
        ids = np.arange(1, len(counts) + 1)
        return PredictionCounts(ids, prediction.class_id, prediction.score, labels, label_size, stacked)
    table = contingency(prediction.instance, truth)
    rows = table.row_labels > 0
    ids, classes = table.row_labels[rows], majority_classes(prediction)
    return PredictionCounts(
        ids=ids,
        class_id=np.array([classes.get(int(i), 0) for i in ids], dtype=np.int64),
        score=np.array([prediction.scores.get(int(i), 1.0) for i in ids], dtype=np.float64),
        labels=table.column_labels,
        label_size=table.counts.sum(axis=0),
        counts=table.counts[rows],
    )


def best_overlaps(prediction: Prediction, truth: PointLabels) -> dict[int, float]:
    """The highest IoU of each true instance over all predicted ones, 0 if none, where only labelled points count."""
    found = count_predictions(prediction, truth.instance)
    true = found.labels > 0
    counts, size = found.counts[:, true], found.label_size[true]
    iou = intersection_over_union(counts, counts.sum(axis=1), size)
    return dict(zip(found.labels[true].tolist(), iou.max(axis=0, initial=0.0).tolist(), strict=True))


def class_agnostic_overlaps(prediction: Prediction, truth: PointLabels) -> InstanceOverlaps:
    """Overlaps of all predicted with all true instances of one scene; every score is 1."""
    found = count_predictions(prediction, truth.instance)
    rows = np.arange(len(found.ids))
    overlaps = _overlaps(found, rows, np.flatnonzero(found.labels > 0))
    return InstanceOverlaps(**{**vars(overlaps), "score": np.ones(len(rows))})


def overlaps_by_class(prediction: Prediction, truth: PointLabels, classes: Sequence[int]) -> dict[int, InstanceOverlaps]:
    """Overlaps of predicted with true instances of the same class, for every class that is asked for.

    Raises:
        ValueError: a labelling lacks its classes.
    """
    if truth.semantic is None or (isinstance(prediction, PointLabels) and prediction.semantic is None):
        raise ValueError("protocol scannet compares instances of one class: both labellings need `semantic`")
    span = int(truth.instance.max(initial=0)) + 1
    is_valid = (truth.instance > 0) & np.isin(truth.semantic, classes)
    codes = np.where(is_valid, truth.semantic.astype(np.int64) * span + truth.instance, 0)
    found = count_predictions(prediction, codes)
    true_class = np.where(found.labels > 0, found.labels // span, 0)
    return {
        label: _overlaps(found, np.flatnonzero(found.class_id == label), np.flatnonzero(true_class == label))
        for label in classes
    }


def majority_classes(labels: PointLabels) -> dict[int, int]:
    """The most frequent non-zero class of each instance's points (the lowest of equals); 0 for an instance without any."""
    if labels.semantic is None or len(labels.instance) == 0:
        return {}
    table = contingency(labels.instance, labels.semantic)
    counts = np.where(table.column_labels > 0, table.counts, 0)
    winners = np.where(counts.max(axis=1, initial=0) > 0, table.column_labels[counts.argmax(axis=1)], 0)
    return {int(i): int(c) for i, c in zip(table.row_labels, winners, strict=True) if i > 0}


def _overlaps(found: PredictionCounts, rows: Int[np.ndarray, " r"], columns: Int[np.ndarray, " k"]) -> InstanceOverlaps:
    intersection, size, true_size = found.counts[np.ix_(rows, columns)], found.size[rows], found.label_size[columns]
    return InstanceOverlaps(
        prediction_size=size,
        truth_size=true_size,
        intersection=intersection,
        iou=intersection_over_union(intersection, size, true_size),
        void=found.counts[rows][:, found.labels == 0].sum(axis=1),
        score=found.score[rows],
    )
