"""Panoptic segments: which segment of a prediction shares how many pixels with which segment of the truth, and who matches.

A segment is a pair (class, instance). Class 0 is void.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

_BITS = 16  # of a label: class and instance are uint16 in files; a segment code is class << 16 | instance
_INSTANCE = (1 << _BITS) - 1


@dataclass(frozen=True)
class SegmentPairs:
    """Pixels per pair of a predicted and a true segment, each pair once."""

    prediction: Int[np.ndarray, " m"]  # int64 segment codes, see `segment_codes`; class 0 = void
    truth: Int[np.ndarray, " m"]
    pixels: Int[np.ndarray, " m"]  # int64


@dataclass(frozen=True)
class MatchingRule:
    """In what the definitions of panoptic quality differ."""

    predicted_void_excuses: bool  # true pixels under predicted void leave the union, and mostly hidden truth is not missed
    has_crowds: bool  # true pixels of a thing class without an instance are a crowd, not a segment


@dataclass(frozen=True)
class ClassCounts:
    """What panoptic quality of one class is made of; counts add up over images."""

    iou_sum: float = 0.0
    matches: int = 0
    false_positives: int = 0
    misses: int = 0

    def __add__(self, other: ClassCounts) -> ClassCounts:
        return ClassCounts(
            self.iou_sum + other.iou_sum,
            self.matches + other.matches,
            self.false_positives + other.false_positives,
            self.misses + other.misses,
        )


def segment_codes(classes: Int[np.ndarray, " n"], instances: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """One int64 per pixel for the pair (class, instance); void pixels (class 0) have code 0 whatever their instance.

    Raises:
        ValueError: a label outside 0..65535.
    """
    for labels in (classes, instances):
        if labels.size and (labels.min() < 0 or labels.max() > _INSTANCE):
            raise ValueError(f"class and instance ids must lie in 0..{_INSTANCE}")
    codes = (classes.astype(np.int64) << _BITS) | instances.astype(np.int64)
    return np.where(classes > 0, codes, 0)


def code_class(codes: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """The class of each segment code."""
    return codes >> _BITS


def code_instance(codes: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """The instance of each segment code."""
    return codes & _INSTANCE


def without_stuff_ids(codes: Int[np.ndarray, " m"], stuff: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
    """The codes with the instance ids of stuff set to 0."""
    return np.where(np.isin(code_class(codes), stuff), code_class(codes) << _BITS, codes)


def with_void(codes: Int[np.ndarray, " m"], kept_classes: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
    """The codes with every class that is not kept turned into void."""
    return np.where(np.isin(code_class(codes), kept_classes), codes, 0)


def count_pairs(
    prediction: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], pixels: Int[np.ndarray, " n"] | None = None
) -> SegmentPairs:
    """Sum pixels (one each unless given) over equal pairs of codes."""
    keys = (prediction.astype(np.uint64) << np.uint64(2 * _BITS)) | truth.astype(np.uint64)
    if pixels is None:  # labels come in runs along a row: sorting the runs is ten times as fast as sorting the pixels
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]]))
        pixels, keys = np.diff(starts, append=len(keys)), keys[starts]
    unique, inverse = np.unique(keys, return_inverse=True)
    sums = np.bincount(inverse, pixels, len(unique)).astype(np.int64)  # sums of doubles, exact up to 2^53 pixels
    low = np.uint64((1 << 2 * _BITS) - 1)
    return SegmentPairs((unique >> np.uint64(2 * _BITS)).astype(np.int64), (unique & low).astype(np.int64), sums)


@dataclass(frozen=True)
class SegmentOverlaps:
    """All segments of both sides, and the IoU of those that share pixels. Sizes are in pixels."""

    predicted: Int[np.ndarray, " p"]  # codes, ascending
    true: Int[np.ndarray, " t"]
    predicted_row: Int[np.ndarray, " m"]  # of each pair
    true_row: Int[np.ndarray, " m"]
    iou: Float[np.ndarray, " m"]
    can_match: Bool[np.ndarray, " m"]  # of the same class, and neither void nor a crowd
    true_size: Float[np.ndarray, " t"]
    is_crowd: Bool[np.ndarray, " t"]
    is_stray_excused: Bool[np.ndarray, " p"]  # mostly on void or on the crowd of its class
    is_miss_excused: Bool[np.ndarray, " t"]  # mostly hidden, by a rule that excuses it


def overlap_segments(pairs: SegmentPairs, things: Int[np.ndarray, " k"], rule: MatchingRule) -> SegmentOverlaps:
    """IoU of all pairs, where pixels of a prediction on true void leave the union; `rule` says what predicted void does."""
    predicted, predicted_row = np.unique(pairs.prediction, return_inverse=True)
    true, true_row = np.unique(pairs.truth, return_inverse=True)
    predicted_size = np.bincount(predicted_row, pairs.pixels, len(predicted))
    true_size = np.bincount(true_row, pairs.pixels, len(true))
    predicted_class, true_class = code_class(predicted), code_class(true)
    is_crowd = np.isin(true_class, things) & (code_instance(true) == 0) if rule.has_crowds else np.zeros(len(true), bool)

    on_void = np.bincount(predicted_row, pairs.pixels * (true_class[true_row] == 0), len(predicted))
    under_void = np.bincount(true_row, pairs.pixels * (predicted_class[predicted_row] == 0), len(true))
    same_class = (predicted_class[predicted_row] == true_class[true_row]) & (true_class[true_row] > 0)
    on_crowd = np.bincount(predicted_row, pairs.pixels * (same_class & is_crowd[true_row]), len(predicted))
    excused = under_void if rule.predicted_void_excuses else np.zeros(len(true))
    union = (predicted_size - on_void)[predicted_row] + (true_size - excused)[true_row] - pairs.pixels
    return SegmentOverlaps(
        predicted=predicted,
        true=true,
        predicted_row=predicted_row,
        true_row=true_row,
        iou=pairs.pixels / np.maximum(union, 1),
        can_match=same_class & ~is_crowd[true_row],
        true_size=true_size.astype(np.float64),  # whole numbers if there is nothing
        is_crowd=is_crowd,
        is_stray_excused=(on_void + on_crowd) / predicted_size > 0.5,
        is_miss_excused=excused / true_size > 0.5,
    )


def match_segments(pairs: SegmentPairs, things: Int[np.ndarray, " k"], rule: MatchingRule) -> dict[int, ClassCounts]:
    """Match predicted with true segments of the same class (IoU > .5, where no segment can match twice), per class.

    An unmatched prediction more than half on true void, or on the crowd of its class, is ignored; `rule` says what predicted
    void does to the truth. Every class that occurs has an entry.
    """
    found = overlap_segments(pairs, things, rule)
    is_match = found.can_match & (found.iou > 0.5)
    predicted_class, true_class = code_class(found.predicted), code_class(found.true)
    is_stray = ~_marked(found.predicted_row[is_match], len(predicted_class)) & ~found.is_stray_excused
    is_missed = ~_marked(found.true_row[is_match], len(true_class)) & ~found.is_crowd & ~found.is_miss_excused
    match_class = true_class[found.true_row[is_match]]
    return {
        int(label): ClassCounts(
            float(found.iou[is_match][match_class == label].sum()),
            int((match_class == label).sum()),
            int((is_stray & (predicted_class == label)).sum()),
            int((is_missed & (true_class == label)).sum()),
        )
        for label in np.union1d(predicted_class, true_class)
        if label > 0
    }


def segment_rows(pairs: SegmentPairs, things: Int[np.ndarray, " k"], rule: MatchingRule) -> list[dict[str, object]]:
    """One row per true segment: its pixels, the predicted instance of its class with the best IoU (0 = none), that IoU."""
    found = overlap_segments(pairs, things, rule)
    rows: list[dict[str, object]] = []
    for row in np.flatnonzero((code_class(found.true) > 0) & ~found.is_crowd):
        mine = np.flatnonzero((found.true_row == row) & found.can_match)
        best = mine[found.iou[mine].argmax()] if len(mine) else None
        iou = 0.0 if best is None else float(found.iou[best])
        outcome = "matched" if iou > 0.5 else "ignored" if found.is_miss_excused[row] else "missed"
        rows.append(
            {"class_id": int(code_class(found.true)[row]), "id": int(code_instance(found.true)[row])}
            | {"pixels": int(found.true_size[row]), "iou": iou, "outcome": outcome}
            | {"best_id": 0 if best is None else int(code_instance(found.predicted)[found.predicted_row[best]])}
        )
    return rows


def _marked(indices: Int[np.ndarray, " k"], size: int) -> Bool[np.ndarray, " n"]:
    marks = np.zeros(size, bool)
    marks[indices] = True
    return marks
