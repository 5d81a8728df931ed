"""What became of each true object: the row of the per-object table of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3d_splat.metrics.contingency import intersection_over_union
from s3d_splat.metrics.overlaps import PointLabels, Prediction, best_overlaps, count_predictions, majority_classes


@dataclass(frozen=True)
class ObjectRow:
    """One true object. `iou` counts all points, `overlap` only points that have a true instance (protocol best-overlap)."""

    truth_id: int
    class_id: int  # the most frequent class of its points, 0 = unknown
    points: int
    iou: float  # the best over all predicted instances, 0 if none touches it
    overlap: float
    best_id: int  # the predicted instance with that best `iou` (the lowest id of equals), 0 = none touches it
    matched_id: int  # the same where `iou` is above .5, else 0


def object_table(prediction: Prediction, truth: PointLabels) -> list[ObjectRow]:
    """One row per true instance of a scene, in ascending id; instances of any size."""
    found = count_predictions(prediction, truth.instance)
    true = found.labels > 0
    sizes = found.label_size[true]
    all_ious = intersection_over_union(found.counts[:, true], found.size, sizes)
    overlap, classes = best_overlaps(prediction, truth), majority_classes(truth)
    rows = []
    for column, truth_id in enumerate(overlap):
        ious = all_ious[:, column]
        best = int(np.argmax(ious)) if len(ious) and ious.max() > 0 else None
        best_iou, best_id = (0.0, 0) if best is None else (float(ious[best]), int(found.ids[best]))
        rows.append(
            ObjectRow(
                truth_id=truth_id,
                class_id=classes.get(truth_id, 0),
                points=int(sizes[column]),
                iou=best_iou,
                overlap=overlap[truth_id],
                best_id=best_id,
                matched_id=best_id if best_iou > 0.5 else 0,
            )
        )
    return rows
