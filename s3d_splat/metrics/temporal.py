"""Instances over several visits of a place: an object counts as found only if it is found in every visit, under one id.

Source: the temporal average precision of ReScene4D. One visit gives class-agnostic average precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.metrics.average_precision import DetectionPool, InstanceOverlaps, mean_precision
from s3d_splat.metrics.contingency import Contingency, contingency, intersection_over_union
from s3d_splat.metrics.overlaps import PointLabels


class TemporalPrecision:
    """Average precision where the IoU of a prediction and a true instance is the lowest of the stages that show either."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.pool = DetectionPool()

    def update(self, stages: Sequence[tuple[PointLabels, PointLabels]]) -> None:
        """Add one place, as (prediction, truth) of every visit; an id is the same object in all of them."""
        self.pool.update(temporal_overlaps(stages))

    def merge(self, other: TemporalPrecision) -> None:
        """Add what another accumulator has seen."""
        self.pool.merge(other.pool)

    def compute(self) -> dict[str, float | None]:
        """`t_ap t_ap50 t_ap25`; None without a true instance to find."""
        return {f"t_{name}": value for name, value in mean_precision([self.pool]).items()}


def temporal_overlaps(stages: Sequence[tuple[PointLabels, PointLabels]]) -> InstanceOverlaps:
    """Overlaps over all stages together: sizes and void add up, the IoU is that of the worst stage.

    A stage in which neither of the two has points says nothing about them; one without the other is an IoU of 0.
    """
    tables = [contingency(prediction.instance, truth.instance) for prediction, truth in stages]
    nothing = np.zeros(0, np.int64)
    predicted = np.unique(np.concatenate([nothing, *(table.row_labels for table in tables)]))
    true = np.unique(np.concatenate([nothing, *(table.column_labels for table in tables)]))
    total = np.zeros((len(predicted), len(true)), np.int64)
    worst = np.full(total.shape, np.inf)
    for table in tables:
        counts = _spread(table, predicted, true)
        row_size, column_size = counts.sum(axis=1), counts.sum(axis=0)
        iou = intersection_over_union(counts, row_size, column_size)
        is_shown = (row_size > 0)[:, None] | (column_size > 0)[None, :]
        worst = np.where(is_shown, np.minimum(worst, iou), worst)
        total += counts
    rows, columns = predicted > 0, true > 0
    return InstanceOverlaps(
        prediction_size=total.sum(axis=1)[rows],
        truth_size=total.sum(axis=0)[columns],
        intersection=total[np.ix_(rows, columns)],
        iou=_finite(worst[np.ix_(rows, columns)]),
        void=total[rows][:, ~columns].sum(axis=1),
        score=np.ones(int(rows.sum())),
    )


def _spread(table: Contingency, rows: Int[np.ndarray, " r"], columns: Int[np.ndarray, " c"]) -> Int[np.ndarray, "r c"]:
    """The counts of one stage in the table of all stages."""
    counts = np.zeros((len(rows), len(columns)), np.int64)
    counts[np.ix_(np.searchsorted(rows, table.row_labels), np.searchsorted(columns, table.column_labels))] = table.counts
    return counts


def _finite(iou: Float[np.ndarray, "p t"]) -> Float[np.ndarray, "p t"]:
    return np.where(np.isfinite(iou), iou, 0.0)
