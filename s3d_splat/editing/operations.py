"""What can be done to objects: plain values, so that they can be written down, sent and done again."""

from __future__ import annotations

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Remove:
    """Take objects away; what was hidden behind them is filled from the surfaces that they touch."""

    ids: tuple[int, ...]
    fill: bool = True


@dataclass(frozen=True)
class Extract:
    """Keep these objects alone."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class Recolour:
    """Give objects a colour; light, shade and pattern stay as differences of brightness."""

    ids: tuple[int, ...]
    colour: Vector  # RGB, 0..1
    strength: float = 1.0  # 0 = as trained, 1 = nothing of the old hue is left


@dataclass(frozen=True)
class Move:
    """Shift objects."""

    ids: tuple[int, ...]
    by: Vector  # metres, in the axes of the world


@dataclass(frozen=True)
class Rotate:
    """Turn objects together, about an axis through the mean of their Gaussians' centres: turning back undoes it."""

    ids: tuple[int, ...]
    axis: Vector  # of any length, in the axes of the world
    degrees: float  # counter-clockwise for who looks against the axis


@dataclass(frozen=True)
class Scale:
    """Make objects larger or smaller together, about the mean of their Gaussians' centres."""

    ids: tuple[int, ...]
    factor: float


@dataclass(frozen=True)
class Duplicate:
    """Copy objects, shifted; the copies get ids of their own."""

    ids: tuple[int, ...]
    by: Vector  # metres, in the axes of the world


Operation = Remove | Extract | Recolour | Move | Rotate | Scale | Duplicate
