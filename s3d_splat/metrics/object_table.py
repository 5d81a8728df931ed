"""What became of each true object: the row of the per-object table of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3d_splat.metrics.contingency import contingency
from s3d_splat.metrics.instances3d import PointLabels, best_overlaps, class_agnostic_overlaps, majority_classes


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


def object_table(prediction: PointLabels, truth: PointLabels) -> list[ObjectRow]:
    """One row per true instance of a scene, in ascending id; instances of any size."""
    overlaps = class_agnostic_overlaps(prediction, truth)
    predicted_ids = [int(i) for i in contingency(prediction.instance, truth.instance).row_labels if i > 0]
    overlap, classes = best_overlaps(prediction, truth), majority_classes(truth)
    rows = []
    for column, truth_id in enumerate(overlap):
        ious = overlaps.iou[:, column]
        best = int(np.argmax(ious)) if len(ious) and ious.max() > 0 else None
        best_iou, best_id = (0.0, 0) if best is None else (float(ious[best]), predicted_ids[best])
        rows.append(
            ObjectRow(
                truth_id=truth_id,
                class_id=classes.get(truth_id, 0),
                points=int(overlaps.truth_size[column]),
                iou=best_iou,
                overlap=overlap[truth_id],
                best_id=best_id,
                matched_id=best_id if best_iou > 0.5 else 0,
            )
        )
    return rows
