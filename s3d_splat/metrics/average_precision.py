"""Average precision of instances by the rules of the ScanNet benchmark, from overlaps alone.

Source: A. Dai et al., "ScanNet", CVPR 2017, and the definition of its benchmark's 3D instance task. Nothing here knows what
an overlap is made of: points of a scene, a class of it, or several visits of the same place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

AP_THRESHOLDS = tuple(percent / 100 for percent in range(50, 95, 5))  # nine: .50, .55 ... .90
THRESHOLDS = (0.25, *AP_THRESHOLDS)
MINIMUM_POINTS = 100


@dataclass(frozen=True)
class InstanceOverlaps:
    """The predictions and the true instances of one scene and class. Sizes and intersections are in points."""

    prediction_size: Int[np.ndarray, " p"]
    truth_size: Int[np.ndarray, " t"]  # in the order in which true instances choose their predictions
    intersection: Int[np.ndarray, "p t"]
    iou: Float[np.ndarray, "p t"]
    void: Int[np.ndarray, " p"]  # points of a prediction where the truth says nothing
    score: Float[np.ndarray, " p"]


@dataclass(frozen=True)
class Detections:
    """The outcome at one threshold: what was predicted, and how many true instances nobody found."""

    score: Float[np.ndarray, " d"]  # of every prediction that counts
    is_match: Bool[np.ndarray, " d"]  # False: a false positive
    misses: int


@dataclass
class DetectionPool:
    """Detections of one class over all scenes, at every threshold of `THRESHOLDS`. Pools add up."""

    detections: dict[float, list[Detections]] = field(default_factory=lambda: {t: [] for t in THRESHOLDS})
    truths: int = 0  # true instances that are large enough to be looked for

    def update(self, overlaps: InstanceOverlaps) -> None:
        """Add one scene."""
        self.truths += int((overlaps.truth_size >= MINIMUM_POINTS).sum())
        for threshold in THRESHOLDS:
            self.detections[threshold].append(match(overlaps, threshold))

    def merge(self, other: DetectionPool) -> None:
        """Add everything that another pool has seen."""
        self.truths += other.truths
        for threshold in THRESHOLDS:
            self.detections[threshold].extend(other.detections[threshold])

    def at(self, threshold: float) -> Detections:
        """All detections at one threshold of `THRESHOLDS`, in one value."""
        found = self.detections[threshold]
        return Detections(
            np.concatenate([np.zeros(0), *(d.score for d in found)]),
            np.concatenate([np.zeros(0, bool), *(d.is_match for d in found)]),
            sum(d.misses for d in found),
        )


def match(overlaps: InstanceOverlaps, threshold: float) -> Detections:
    """Assign predictions to true instances at one IoU threshold (strictly above).

    Only sizes of at least 100 points take part. True instances, in order, take the predictions above the threshold that are
    no earlier one's match: the best score is the match, further ones are false positives with their own scores. A
    prediction that is above the threshold with no true instance of any size is a false positive, unless more than
    `threshold` of its points are void or on true instances that are too small: then it does not count.
    """
    kept = np.flatnonzero(overlaps.prediction_size >= MINIMUM_POINTS)
    kept = kept[np.argsort(-overlaps.score[kept], kind="stable")]
    above = overlaps.iou[kept] > threshold
    is_large = overlaps.truth_size >= MINIMUM_POINTS
    is_taken = np.zeros(len(kept), bool)
    rows: list[int] = []
    is_match: list[bool] = []
    misses = 0
    for column in np.flatnonzero(is_large):
        candidates = np.flatnonzero(above[:, column] & ~is_taken)
        if len(candidates) == 0:
            misses += 1
            continue
        is_taken[candidates[0]] = True
        rows.extend(candidates.tolist())
        is_match.extend([True] + [False] * (len(candidates) - 1))
    ignorable = overlaps.void[kept] + overlaps.intersection[kept][:, ~is_large].sum(axis=1)
    is_ignored = ignorable / overlaps.prediction_size[kept] > threshold
    strays = np.flatnonzero(~above.any(axis=1) & ~is_ignored)
    score = overlaps.score[kept][np.array(rows + strays.tolist(), dtype=np.int64)]
    return Detections(score, np.array(is_match + [False] * len(strays), dtype=bool), misses)


def average_precision(detections: Detections) -> float:
    """Area under the precision-recall curve, integrated as the benchmark does; 0 without detections.

    With the distinct scores ascending, p_k and r_k are precision and recall of the detections that score at least s_k;
    after p = 1, r = 0 is appended, AP = sum_k p_k (r_{k-1} - r_{k+1}) / 2, where r before the first is r_0 and after the
    last is 0.
    """
    if len(detections.score) == 0:
        return 0.0
    order = np.argsort(detections.score, kind="stable")
    hits = detections.is_match[order].astype(np.int64)
    _, first = np.unique(detections.score[order], return_index=True)
    found = hits.sum() - np.concatenate([[0], np.cumsum(hits)])[first]
    precision = np.append(found / (len(hits) - first), 1.0)
    recall = np.append(found / max(hits.sum() + detections.misses, 1), 0.0)
    before = np.concatenate([recall[:1], recall[:-1]])
    after = np.append(recall[1:], 0.0)
    return float(np.sum(precision * (before - after) / 2))


def recall(detections: Detections) -> float:
    """Share of the true instances (at least one) that were found, whatever the score."""
    hits = int(detections.is_match.sum())
    return hits / max(hits + detections.misses, 1)


def precision(detections: Detections) -> float | None:
    """Share of the predictions that count (neither too small nor ignored) which are matches; None without any."""
    return float(detections.is_match.mean()) if len(detections.is_match) else None


def mean_precision(pools: list[DetectionPool]) -> dict[str, float | None]:
    """`ap ap50 ap25`: the mean over the classes that have a true instance to find, None where there is no such class."""
    seen = [pool for pool in pools if pool.truths]
    areas = {t: [average_precision(pool.at(t)) for pool in seen] for t in THRESHOLDS}
    if not seen:
        return {"ap": None, "ap50": None, "ap25": None}
    return {
        "ap": float(np.mean([areas[t] for t in AP_THRESHOLDS])),
        "ap50": float(np.mean(areas[0.5])),
        "ap25": float(np.mean(areas[0.25])),
    }
