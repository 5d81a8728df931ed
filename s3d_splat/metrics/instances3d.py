"""3D instances against per-point truth, in three protocols: `scannet`, `class-agnostic` and `best-overlap`.

The protocols answer different questions, and best-overlap hides over-segmentation: quote it with AP beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3d_splat.metrics.average_precision import (
    AP_THRESHOLDS,
    DetectionPool,
    mean_precision,
    precision,
    recall,
)
from s3d_splat.metrics.overlaps import (
    PointLabels,
    Prediction,
    best_overlaps,
    class_agnostic_overlaps,
    overlaps_by_class,
)
from s3d_splat.metrics.scannet_classes import INSTANCE_CLASSES


class ScannetPrecision:
    """Protocol `scannet`: average precision per class, pooled over scenes, then the mean over classes.

    A true instance is a pair (instance, class); points without instance, or of a class that is not asked for, are void. The
    class of a predicted instance is the most frequent non-zero class of its points (the lowest id of equals).
    """

    def __init__(self, classes: Sequence[int] = INSTANCE_CLASSES) -> None:
        self.classes = tuple(classes)
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.pools = {label: DetectionPool() for label in self.classes}

    def update(self, prediction: Prediction, truth: PointLabels) -> None:
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

    def update(self, prediction: Prediction, truth: PointLabels) -> None:
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

    def update(self, prediction: Prediction, truth: PointLabels) -> None:
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
