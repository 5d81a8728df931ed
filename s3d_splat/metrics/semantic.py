"""Semantic labels of pixels or points, whatever the instances."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from s3d_splat.metrics.contingency import contingency


class SemanticIoU:
    """Mean IoU over the classes that occur in the truth.

    Elements of true class 0 are dropped first. A predicted 0 is a wrong answer like any other, so that leaving elements
    unlabelled never pays. A class that is only predicted has no IoU of its own: its elements lower that of the true classes.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.intersection: dict[int, int] = {}
        self.predicted: dict[int, int] = {}
        self.true: dict[int, int] = {}

    def update(self, prediction: Int[np.ndarray, "*n"], truth: Int[np.ndarray, "*n"]) -> None:
        """Add the class ids of an image or a cloud."""
        kept = truth > 0
        table = contingency(prediction[kept], truth[kept])
        _add(self.predicted, dict(zip(table.row_labels.tolist(), table.counts.sum(axis=1).tolist(), strict=True)))
        _add(self.true, dict(zip(table.column_labels.tolist(), table.counts.sum(axis=0).tolist(), strict=True)))
        rows, columns = np.nonzero(table.row_labels[:, None] == table.column_labels[None, :])
        hits = table.counts[rows, columns].tolist()
        _add(self.intersection, dict(zip(table.row_labels[rows].tolist(), hits, strict=True)))

    def merge(self, other: SemanticIoU) -> None:
        """Add what another accumulator has seen."""
        _add(self.intersection, other.intersection)
        _add(self.predicted, other.predicted)
        _add(self.true, other.true)

    def compute(self) -> dict[str, float | None]:
        """`semantic_miou` and `semantic_macc` (mean recall over the true classes); None without labelled elements."""
        ious = list(self.per_class().values())
        recalls = list(self.recalls().values())
        return {
            "semantic_miou": float(np.mean(ious)) if ious else None,
            "semantic_macc": float(np.mean(recalls)) if recalls else None,
        }

    def recalls(self) -> dict[int, float]:
        """Share of the elements of every class of the truth that are labelled with it."""
        return {label: self.intersection.get(label, 0) / size for label, size in sorted(self.true.items())}

    def per_class(self) -> dict[int, float]:
        """IoU of every class of the truth."""
        result = {}
        for label, size in sorted(self.true.items()):
            hits = self.intersection.get(label, 0)
            result[label] = hits / (size + self.predicted.get(label, 0) - hits)
        return result


def _add(total: dict[int, int], more: dict[int, int]) -> None:
    for label, count in more.items():
        total[label] = total.get(label, 0) + count
