"""Panoptic quality of images, in two protocols: `coco` (a segment lives in one image) and `scene` (it spans all frames).

Sources: A. Kirillov et al., "Panoptic Segmentation", CVPR 2019, with the void and crowd rules of the COCO panoptic task; Y.
Siddiqui et al., "Panoptic Lifting", CVPR 2023 (scene-level quality). `pq_strict` is this project's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from s3d_splat.metrics.segments import (
    ClassCounts,
    MatchingRule,
    SegmentPairs,
    code_class,
    code_instance,
    count_pairs,
    match_segments,
    segment_codes,
    segment_rows,
    with_void,
    without_stuff_ids,
)
from s3d_splat.types import ClassInfo

Labels = Int[np.ndarray, "h w"]

COCO_RULE = MatchingRule(predicted_void_excuses=False, has_crowds=True)
SCENE_RULE = MatchingRule(predicted_void_excuses=True, has_crowds=False)
STRICT_RULE = MatchingRule(predicted_void_excuses=False, has_crowds=False)
RARE_SHARE = 0.005  # of the kept pixels: classes below it are left out of `pq_filtered`


class CocoPanopticQuality:
    """Protocol `coco`: segments are matched within an image, counts and IoU are summed over images.

    Predicted void is not taken out of the union, an unmatched true segment is always missed, and true pixels of a thing
    class with instance 0 are that class's crowd. Classes without any match, false positive or miss are left out of the
    means.
    """

    def __init__(self, classes: Sequence[ClassInfo]) -> None:
        self.classes = tuple(classes)
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        self.counts: dict[int, ClassCounts] = {}

    def update(self, pred_classes: Labels, pred_instances: Labels, true_classes: Labels, true_instances: Labels) -> None:
        """Add one image; labels in 0..65535, class 0 and classes that are not listed are void."""
        pairs = _pairs(pred_classes, pred_instances, true_classes, true_instances)
        pairs = prepared(pairs, self.classes)
        self._add(match_segments(pairs, _ids(self.classes, is_thing=True), COCO_RULE))

    def merge(self, other: CocoPanopticQuality) -> None:
        """Add what another accumulator of the same classes has seen."""
        self._add(other.counts)

    def compute(self) -> dict[str, float | None]:
        """`pq sq rq pq_th pq_st`."""
        return quality(self._counted(), self.classes)

    def per_class(self) -> list[dict[str, object]]:
        """One row per class that counts, see `class_rows`."""
        return class_rows(self._counted(), self.classes)

    def per_segment(
        self, pred_classes: Labels, pred_instances: Labels, true_classes: Labels, true_instances: Labels
    ) -> list[dict[str, object]]:
        """One row per true segment of an image, see `segment_rows`; nothing is added."""
        pairs = prepared(_pairs(pred_classes, pred_instances, true_classes, true_instances), self.classes)
        return segment_rows(pairs, _ids(self.classes, is_thing=True), COCO_RULE)

    def _add(self, counts: Mapping[int, ClassCounts]) -> None:
        for label, more in counts.items():
            self.counts[label] = self.counts.get(label, ClassCounts()) + more

    def _counted(self) -> dict[int, ClassCounts]:
        return {label: c for label, c in self.counts.items() if c.matches + c.false_positives + c.misses}


class ScenePanopticQuality:
    """Protocol `scene`: a segment spans all frames, so that an object must keep its id from frame to frame.

    Pixels of true class 0 are dropped; the rest is one long list of pixels, of which only the table of overlapping segments
    is kept. A class that is not listed is void on either side. IoU = I / (|P| - |P on true void| + |G| - |G under predicted
    void| - I); unmatched segments more than half on the other side's void are ignored. The means run over the classes
    present.
    """

    def __init__(self, classes: Sequence[ClassInfo]) -> None:
        self.classes = tuple(classes)
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        nothing = np.zeros(0, np.int64)
        self.pairs = SegmentPairs(nothing, nothing, nothing)

    def update(self, pred_classes: Labels, pred_instances: Labels, true_classes: Labels, true_instances: Labels) -> None:
        """Add one frame; labels in 0..65535."""
        kept = true_classes > 0
        frame = _pairs(pred_classes[kept], pred_instances[kept], true_classes[kept], true_instances[kept])
        self.pairs = _joined(self.pairs, prepared(frame, self.classes))

    def merge(self, other: ScenePanopticQuality) -> None:
        """Add the frames that another accumulator of the same scene and classes has seen."""
        self.pairs = _joined(self.pairs, other.pairs)

    def compute(self) -> dict[str, float | None]:
        """`pq sq rq pq_th pq_st`, `pq_filtered` (without rare classes), `pq_strict` (predicted void excuses nothing)."""
        filtered = quality(self._match(without_rare_classes(self.pairs), SCENE_RULE), self.classes)
        strict = quality(self._match(self.pairs, STRICT_RULE), self.classes)
        result = quality(self._match(self.pairs, SCENE_RULE), self.classes)
        return result | {"pq_filtered": filtered["pq"], "pq_strict": strict["pq"]}

    def per_class(self) -> list[dict[str, object]]:
        """One row per class that is present, see `class_rows`."""
        return class_rows(self._match(self.pairs, SCENE_RULE), self.classes)

    def per_segment(self) -> list[dict[str, object]]:
        """One row per true segment, see `segment_rows`."""
        return segment_rows(self.pairs, _ids(self.classes, is_thing=True), SCENE_RULE)

    def true_segments(self) -> int:
        """How many segments the truth has: stuff classes, and instances of things."""
        codes = np.unique(self.pairs.truth)
        is_thing = np.isin(code_class(codes), _ids(self.classes, is_thing=True))
        return int(((code_class(codes) > 0) & (~is_thing | (code_instance(codes) > 0))).sum())

    def _match(self, pairs: SegmentPairs, rule: MatchingRule) -> dict[int, ClassCounts]:
        return match_segments(pairs, _ids(self.classes, is_thing=True), rule)


def quality(counts: Mapping[int, ClassCounts], classes: Sequence[ClassInfo]) -> dict[str, float | None]:
    """`pq sq rq`: means over the classes of `counts`; `pq_th pq_st`: over its things, its stuff; None without any."""
    ordered = sorted(counts)
    scores = {label: _scores(counts[label]) for label in ordered}
    things = set(_ids(classes, is_thing=True).tolist())
    groups = {
        "pq": [scores[label][0] for label in ordered],
        "sq": [scores[label][1] for label in ordered],
        "rq": [scores[label][2] for label in ordered],
        "pq_th": [scores[label][0] for label in ordered if label in things],
        "pq_st": [scores[label][0] for label in ordered if label not in things],
    }
    return {name: float(np.mean(values)) if values else None for name, values in groups.items()}


def class_rows(counts: Mapping[int, ClassCounts], classes: Sequence[ClassInfo]) -> list[dict[str, object]]:
    """Per class: id, name, is_thing, pq, sq, rq and how many segments matched, were false or were missed."""
    infos = {info.id: info for info in classes}
    rows: list[dict[str, object]] = []
    for label in sorted(counts):
        pq, sq, rq = _scores(counts[label])
        c = counts[label]
        rows.append(
            {"id": label, "name": infos[label].name, "is_thing": infos[label].is_thing, "pq": pq, "sq": sq, "rq": rq}
            | {"matches": c.matches, "false_positives": c.false_positives, "misses": c.misses}
        )
    return rows


def prepared(pairs: SegmentPairs, classes: Sequence[ClassInfo]) -> SegmentPairs:
    """The same overlaps with unlisted classes void and the instance ids of stuff dropped, on both sides."""
    listed, stuff = np.array([info.id for info in classes], dtype=np.int64), _ids(classes, is_thing=False)
    prediction, truth = (without_stuff_ids(with_void(c, listed), stuff) for c in (pairs.prediction, pairs.truth))
    return count_pairs(prediction, truth, pairs.pixels)


def without_rare_classes(pairs: SegmentPairs) -> SegmentPairs:
    """Turn classes with under 0.5 % of the pixels on a side where they occur into void, on both sides."""
    total, rare = int(pairs.pixels.sum()), np.zeros(0, np.int64)
    for codes in (pairs.prediction, pairs.truth):
        labels, rows = np.unique(code_class(codes), return_inverse=True)
        size = np.bincount(rows, pairs.pixels, len(labels))
        rare = np.union1d(rare, labels[size < RARE_SHARE * total])
    present = np.union1d(code_class(pairs.prediction), code_class(pairs.truth))
    kept = np.setdiff1d(present, rare)
    return count_pairs(with_void(pairs.prediction, kept), with_void(pairs.truth, kept), pairs.pixels)


def classes_of_labels(images: Iterable[tuple[Labels, Labels, Labels]]) -> tuple[ClassInfo, ...]:
    """The classes of images without a class table: a class is a thing if a true pixel of it has an instance.

    Args:
        images: per image the predicted classes, the true classes and the true instances.
    """
    present: set[int] = set()
    things: set[int] = set()
    for pred_classes, true_classes, true_instances in images:
        codes = np.unique(segment_codes(true_classes.ravel(), true_instances.ravel()))
        present |= set(np.unique(pred_classes).tolist()) | set(code_class(codes).tolist())
        things |= set(code_class(codes)[code_instance(codes) > 0].tolist())
    return tuple(ClassInfo(label, f"class {label}", label in things) for label in sorted(present - {0}))


def _scores(counts: ClassCounts) -> tuple[float, float, float]:
    if counts.matches == 0:
        return 0.0, 0.0, 0.0
    segments = counts.matches + counts.false_positives / 2 + counts.misses / 2
    return counts.iou_sum / segments, counts.iou_sum / counts.matches, counts.matches / segments


def _pairs(
    pred_classes: Int[np.ndarray, "*n"],
    pred_instances: Int[np.ndarray, "*n"],
    true_classes: Int[np.ndarray, "*n"],
    true_instances: Int[np.ndarray, "*n"],
) -> SegmentPairs:
    prediction = segment_codes(pred_classes.ravel(), pred_instances.ravel())
    return count_pairs(prediction, segment_codes(true_classes.ravel(), true_instances.ravel()))


def _joined(first: SegmentPairs, second: SegmentPairs) -> SegmentPairs:
    return count_pairs(
        np.concatenate([first.prediction, second.prediction]),
        np.concatenate([first.truth, second.truth]),
        np.concatenate([first.pixels, second.pixels]),
    )


def _ids(classes: Sequence[ClassInfo], *, is_thing: bool) -> Int[np.ndarray, " k"]:
    return np.array([info.id for info in classes if info.is_thing == is_thing], dtype=np.int64)
