"""Curves as inline SVG: training losses over steps with the stage boundaries, and scores over the test views."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from s3d_splat.report.collect import LogEntry, ViewScore, number

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 24, 22  # the margins of the plot area
BINS = 160  # a noisy curve is drawn as its mean over so many bins, on the band of its extremes
NOT_CURVES = frozenset({"step", "stage", "seconds"})
LOG_RATIO = 30.0  # a positive curve that spans more than this is drawn on a logarithmic axis


@dataclass(frozen=True)
class Curve:
    """Values over positions, both finite, positions ascending."""

    name: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Mark:
    """A vertical line with a word at its right: where a stage begins."""

    x: float
    label: str


def training_curves(log: Sequence[LogEntry]) -> list[Curve]:
    """One curve per logged key, the PSNR first, then the weighted sum `loss`, then the terms by name."""
    names = {key for entry in log for key in entry} - NOT_CURVES
    ordered = sorted(names, key=lambda name: (name != "psnr", name != "loss", name))
    curves = []
    for name in ordered:
        pairs = [(float(entry["step"]), number(entry.get(name))) for entry in log]
        found = [(step, value) for step, value in pairs if value is not None]
        if len(found) > 1:
            curves.append(Curve(name, *np.array(found).T))
    return curves


def stage_marks(log: Sequence[LogEntry]) -> list[Mark]:
    """The first logged step of each stage."""
    marks: list[Mark] = []
    for entry in log:
        stage = entry.get("stage")
        if stage is not None and (not marks or marks[-1].label != str(stage)):
            marks.append(Mark(float(entry["step"]), str(stage)))
    return marks


def curve_svg(curve: Curve, marks: Sequence[Mark], title: str, reach: tuple[float, float]) -> str:
    """A noisy curve: the mean over bins as a line, the lowest to highest value as a band; `reach`: the x axis."""
    lowest, highest = float(curve.y.min()), float(curve.y.max())
    logarithmic = lowest > 0 and highest > LOG_RATIO * lowest
    axes = _Axes.around(*reach, lowest, highest, logarithmic)
    x, mean, low, high = _binned(curve)
    band = _points(axes, np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]]))
    body = f'<polygon class="band" points="{band}"/><polyline class="line" points="{_points(axes, x, mean)}"/>'
    scale = ", logarithmic" if logarithmic else ""
    return _figure(axes, marks, body, f"{title} over steps{scale}", [f"{v:,.0f}" for v in axes.x_ticks()])


def scores_svg(views: Sequence[ViewScore], score: Callable[[ViewScore], float | None], title: str) -> str:
    """One stem per test view, in the order of the path; a view without the score has none."""
    found = [(index, view, value) for index, view in enumerate(views) if (value := score(view)) is not None]
    if len(found) < 2:
        return ""
    values = [value for _, _, value in found]
    axes = _Axes.around(-0.5, len(views) - 0.5, min(values), max(values), logarithmic=False)
    mean = sum(values) / len(values)
    body = [f'<line class="mean" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axes.y(mean):.1f}" y2="{axes.y(mean):.1f}"/>']
    for index, view, value in found:
        x, y = axes.x(float(index)), axes.y(value)
        worst = ' class="worst"' if value == min(values) else ""
        body.append(f"<g{worst}><title>{escape(view.name)}: {value:.3f}</title>")
        body.append(f'<line class="stem" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{axes.y(mean):.1f}"/>')
        body.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/></g>')
    return _figure(axes, (), "".join(body), f"{title}, test views in the order of the path (line: mean)", [])


@dataclass(frozen=True)
class _Axes:
    left: float
    right: float
    bottom: float
    top: float
    logarithmic: bool

    @staticmethod
    def around(left: float, right: float, lowest: float, highest: float, logarithmic: bool) -> _Axes:
        if logarithmic:
            lowest, highest = math.log10(lowest), math.log10(highest)
        room = 0.05 * (highest - lowest) or 0.05 * abs(highest) or 1.0
        return _Axes(left, right if right > left else left + 1, lowest - room, highest + room, logarithmic)

    def x(self, value: float) -> float:
        return LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        place = math.log10(value) if self.logarithmic else value
        return TOP + (self.top - place) / (self.top - self.bottom) * (HEIGHT - TOP - BOTTOM)

    def x_ticks(self) -> list[float]:
        return [tick for tick in _round_numbers(self.left, self.right, 5) if self.left <= tick <= self.right]

    def y_ticks(self) -> list[float]:
        if not self.logarithmic:
            return _round_numbers(self.bottom, self.top, 4)
        decades = range(math.floor(self.bottom), math.ceil(self.top) + 1)
        ticks = [base * 10.0**decade for decade in decades for base in (1, 3)]
        return [tick for tick in ticks if self.bottom <= math.log10(tick) <= self.top]


def _round_numbers(low: float, high: float, count: int) -> list[float]:
    """About `count` multiples of 1, 2 or 5 times a power of ten between `low` and `high`."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(base * power for base in (1, 2, 5, 10) if base * power >= raw)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _binned(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    parts = min(BINS, max(1, len(curve.x) // 4) if len(curve.x) > 12 else len(curve.x))
    groups = list(zip(np.array_split(curve.x, parts), np.array_split(curve.y, parts), strict=True))
    columns = np.array([(x.mean(), y.mean(), y.min(), y.max()) for x, y in groups]).T
    return columns[0], columns[1], columns[2], columns[3]


def _points(axes: _Axes, x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{axes.x(float(a)):.1f},{axes.y(float(b)):.1f}" for a, b in zip(x, y, strict=True))


def _figure(axes: _Axes, marks: Sequence[Mark], body: str, title: str, x_labels: Sequence[str]) -> str:
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in axes.y_ticks():
        y = axes.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 3.5:.1f}">{tick:.4g}</text>')
    for tick, label in zip(axes.x_ticks(), x_labels, strict=False):
        parts.append(f'<text class="tick middle" x="{axes.x(tick):.1f}" y="{HEIGHT - 6}">{label}</text>')
    for mark in marks:
        x = max(axes.x(mark.x), LEFT)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{x + 4:.1f}" y="{TOP - 5}">{escape(mark.label)}</text>')
    return "".join([*parts, body, "</svg>"])
