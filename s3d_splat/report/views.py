"""Which test views a report shows: some spread over the path, and the worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.report.collect import ViewScore
from s3d_splat.types import Frame, Scene


@dataclass(frozen=True)
class View:
    """A test frame, its scores, and its place along the path."""

    frame: Frame
    score: ViewScore

    @property
    def name(self) -> str:
        """What its rendered pictures and its scores are called."""
        return frame_name(self.frame.file_path)


@dataclass(frozen=True)
class WorstView:
    """A view that is among the worst, and in what."""

    view: View
    reasons: tuple[str, ...]


def scored_views(scene: Scene, scores: Sequence[ViewScore]) -> tuple[View, ...]:
    """The test frames in the order of the scene, with their scores (empty ones where evaluation has none)."""
    known = {score.name: score for score in scores}
    names = [(frame, frame_name(frame.file_path)) for frame in frames_of(scene, "test")]
    return tuple(View(frame, known.get(name, ViewScore(name, None, None, None))) for frame, name in names)


def spread(views: Sequence[View], count: int) -> tuple[View, ...]:
    """Up to `count` views at even distances along the sequence, first and last included."""
    if len(views) <= count:
        return tuple(views)
    return tuple(views[round(index * (len(views) - 1) / (count - 1))] for index in range(count))


def worst(views: Sequence[View], count: int) -> tuple[WorstView, ...]:
    """The `count` views with the lowest PSNR and the `count` with the lowest PQ, each view once, with its reasons."""
    by_psnr = _lowest(views, lambda view: view.score.psnr, count)
    by_pq = _lowest(views, lambda view: view.score.pq, count)
    reasons: dict[str, list[str]] = {}
    for label, ranked in (("PSNR", by_psnr), ("PQ", by_pq)):
        for rank, view in enumerate(ranked):
            reasons.setdefault(view.name, []).append(f"{_ordinal(rank)}lowest {label}")
    named = {view.name: view for view in (*by_psnr, *by_pq)}
    return tuple(WorstView(view, tuple(reasons[name])) for name, view in named.items())


def _lowest(views: Sequence[View], score: Callable[[View], float | None], count: int) -> list[View]:
    scored = [(value, index) for index, view in enumerate(views) if (value := score(view)) is not None]
    return [views[index] for _, index in sorted(scored)[:count]]


def _ordinal(rank: int) -> str:
    return ("", "second ", "third ", "fourth ")[rank] if rank < 4 else f"{rank + 1}th "
