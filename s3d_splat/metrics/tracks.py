"""Instance ids of a video against true ones: whether an object keeps its id.

Source of `idf1`: E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016,
with masks in place of boxes. `id_kept` is this project's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment

from s3d_splat.metrics.contingency import contingency, intersection_over_union

MINIMUM_PIXELS = 100  # a true thing is visible in a frame with so many pixels
MINIMUM_FRAMES = 5
KEPT_SHARE = 0.9


@dataclass(frozen=True)
class ThingTrack:
    """What became of a true thing in a video."""

    id: int
    frames: int  # in which it is visible
    best_id: int  # the predicted id that covers it in most of them, 0 = none ever does
    share: float  # of these frames
    is_judged: bool  # visible in enough frames
    is_kept: bool


@dataclass
class _Sequence:
    matches: Counter[tuple[int, int]] = field(default_factory=Counter)  # frames where (true id, predicted id) match
    true_detections: int = 0
    predicted_detections: int = 0
    covering: dict[int, list[int]] = field(default_factory=dict)  # per visible true thing: the id that covers it, 0 = none


class TrackQuality:
    """`idf1` and `id_kept` over videos. Counts add up; videos share no ids.

    Every id > 0 of a frame is a detection. A true and a predicted detection match at mask IoU > .5; ids are assigned one to
    one over the video so that the most frames agree (IDTP).
    """

    def __init__(self, things: Collection[int] | None = None) -> None:
        """Args: things: the true ids that `id_kept` looks at; None: all."""
        self.things = None if things is None else frozenset(things)
        self.reset()

    def reset(self) -> None:
        """Forget every video."""
        self.agreeing, self.detections = 0, 0  # IDTP; 2 IDTP + IDFP + IDFN, which is all detections of both sides
        self.kept, self.judged = 0, 0
        self.tracks: list[ThingTrack] = []
        self._video = _Sequence()

    def update(self, prediction: Int[np.ndarray, "h w"], truth: Int[np.ndarray, "h w"]) -> None:
        """Add the next frame of the current video (ids, 0 = none)."""
        video = self._video
        table = contingency(prediction.ravel(), truth.ravel())
        rows, columns = table.row_labels > 0, table.column_labels > 0
        predicted, true = table.row_labels[rows], table.column_labels[columns]
        counts, size = table.counts[np.ix_(rows, columns)], table.counts.sum(axis=0)[columns]
        iou = intersection_over_union(counts, table.counts.sum(axis=1)[rows], size)
        for row, column in np.argwhere(iou > 0.5):
            video.matches[int(true[column]), int(predicted[row])] += 1
        video.true_detections += len(true)
        video.predicted_detections += len(predicted)
        for column in np.flatnonzero(size >= MINIMUM_PIXELS):
            thing, shared = int(true[column]), counts[:, column]
            if self.things is None or thing in self.things:
                owner = int(predicted[shared.argmax()]) if shared.any() else 0
                video.covering.setdefault(thing, []).append(owner)

    def end_video(self) -> None:
        """Close the current video; the next frame begins another one."""
        video = self._video
        self.agreeing += _agreement(video.matches)
        self.detections += video.true_detections + video.predicted_detections
        tracks = _tracks(video.covering)
        self.kept += sum(track.is_kept for track in tracks)
        self.judged += sum(track.is_judged for track in tracks)
        self.tracks += tracks
        self._video = _Sequence()

    def merge(self, other: TrackQuality) -> None:
        """Add the closed videos that another accumulator has seen."""
        self.agreeing += other.agreeing
        self.detections += other.detections
        self.kept += other.kept
        self.judged += other.judged
        self.tracks = self.tracks + other.tracks

    def compute(self) -> dict[str, float | None]:
        """`idf1` = 2 IDTP / (2 IDTP + IDFP + IDFN); `id_kept`, the share of true things that keep one id of their own.

        A thing is judged if it has at least 100 pixels in at least 5 frames. It keeps its id if one predicted id covers
        most of its labelled predicted pixels in at least 90 % of those frames, and that id belongs to no other true thing,
        which is to say that no other thing (visible in any frame) is covered by it most often. None without detections,
        without such things.
        """
        return {
            "idf1": 2 * self.agreeing / self.detections if self.detections else None,
            "id_kept": self.kept / self.judged if self.judged else None,
        }


def _agreement(matches: Counter[tuple[int, int]]) -> int:
    """The most frames that a one-to-one assignment of true to predicted ids can explain."""
    true, predicted = (sorted({pair[side] for pair in matches}) for side in (0, 1))
    frames = np.array([[matches[t, p] for p in predicted] for t in true], dtype=np.int64).reshape(len(true), len(predicted))
    return int(frames[linear_sum_assignment(frames, maximize=True)].sum())


def _tracks(covering: dict[int, list[int]]) -> list[ThingTrack]:
    """One row per visible thing, ascending by id."""
    main = {thing: _most_frequent(owners) for thing, owners in covering.items()}
    shared = Counter(owner for owner, _ in main.values())
    rows = []
    for thing, owners in sorted(covering.items()):
        owner, count = main[thing]
        is_judged = len(owners) >= MINIMUM_FRAMES
        is_kept = is_judged and owner > 0 and shared[owner] == 1 and count >= KEPT_SHARE * len(owners)
        rows.append(ThingTrack(thing, len(owners), owner, count / len(owners), is_judged, is_kept))
    return rows


def _most_frequent(owners: list[int]) -> tuple[int, int]:
    """The id that covers a thing in most frames (the lowest of equals), and in how many; 0 if none ever does."""
    counts = Counter(owner for owner in owners if owner > 0)
    best = min(counts, key=lambda owner: (-counts[owner], owner), default=0)
    return best, counts[best]
