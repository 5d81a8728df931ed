"""What AP and PQ do not say, from labels of the same points: objects merged, long ones in parts, small ones lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.metrics.contingency import contingency, intersection_over_union

LONG, SMALL = 2.0, 0.1  # metres
LEAST_FRAMES = 5  # that a small object must be seen in
LEAST_PIXELS = 10  # of a mask that counts as seeing; smaller masks are evidence for no method
_HELD, _WHOLE, _LABELLED, _FOUND = 0.1, 0.9, 0.5, 0.5

PointIds = Int[np.ndarray, " n"]


def merged_share(predicted: PointIds, true: PointIds, things: Collection[int]) -> float | None:
    """Share of the predicted segments (ids over 0, stuff included) that hold over 10 % of the points of two true things.

    None without a predicted segment.
    """
    table = contingency(predicted, true)
    thing = np.isin(table.column_labels, list(things)) & (table.column_labels > 0)
    held = table.counts > _HELD * table.counts.sum(axis=0)
    merged = held[:, thing].sum(axis=1) >= 2
    return _share(merged[table.row_labels > 0])


def whole_share(predicted: PointIds, true: PointIds, objects: Collection[int]) -> float | None:
    """Share of the true `objects` that lie in one segment.

    One does if at least half of its points have a predicted id, and at least 90 % of those have the same. What else the
    segment holds is not asked (`merged_share` is). None without an object that has points.
    """
    table = contingency(predicted, true)
    chosen = np.isin(table.column_labels, list(objects)) & (table.column_labels > 0)
    points, labelled = table.counts.sum(axis=0), table.counts[table.row_labels > 0]
    owned = labelled.sum(axis=0)
    largest = labelled.max(axis=0, initial=0)
    whole = (owned >= _LABELLED * points) & (largest >= _WHOLE * owned) & (owned > 0)
    return _share(whole[chosen])


def found_share(predicted: PointIds, true: PointIds, objects: Collection[int]) -> float | None:
    """Share of the true `objects` that some predicted segment fits with an IoU over one half, counted over all points.

    None without an object that has points.
    """
    table = contingency(predicted, true)
    chosen = np.isin(table.column_labels, list(objects)) & (table.column_labels > 0)
    iou = intersection_over_union(table.counts, table.counts.sum(axis=1), table.counts.sum(axis=0))
    best = iou[table.row_labels > 0].max(axis=0, initial=0.0)
    return _share(best[chosen] > _FOUND)


def lengths(xyz: Float[np.ndarray, "n 3"], true: PointIds) -> dict[int, float]:
    """Longest side of the axis-aligned box around the points of each instance (id over 0), in the unit of the points."""
    return {int(i): float(np.ptp(xyz[true == i], axis=0).max()) for i in np.unique(true[true > 0])}


def sightings(masks: Iterable[Int[np.ndarray, "h w"]], least_pixels: int = LEAST_PIXELS) -> dict[int, int]:
    """In how many images each id (over 0) has at least `least_pixels` pixels."""
    frames: Counter[int] = Counter()
    for mask in masks:
        ids, sizes = np.unique(mask, return_counts=True)
        frames.update(int(i) for i in ids[(sizes >= least_pixels) & (ids > 0)])
    return dict(frames)


def long_objects(length: Mapping[int, float], things: Collection[int]) -> set[int]:
    """Things over 2 m."""
    return {i for i, metres in length.items() if i in things and metres > LONG}


def small_objects(length: Mapping[int, float], frames: Mapping[int, int], things: Collection[int]) -> set[int]:
    """Things under 10 cm that are seen in five images or more."""
    return {i for i, metres in length.items() if i in things and metres < SMALL and frames.get(i, 0) >= LEAST_FRAMES}


def _share(flags: np.ndarray) -> float | None:
    return float(np.mean(flags)) if len(flags) else None
