"""What one browser shows: plain values that never change; an event makes a new one of the old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Mode = Literal["colour", "depth", "instances", "panoptic", "features", "relevancy", "splats"]
MODES: tuple[Mode, ...] = get_args(Mode)
NEEDS_OBJECTS: frozenset[Mode] = frozenset({"instances", "panoptic", "relevancy"})
"""Modes that mean nothing before the objects of a run have been found."""


@dataclass(frozen=True)
class ViewState:
    """The choices of one browser; the scene and its edits are shared by all."""

    mode: Mode = "colour"
    selected: int = 0  # instance id, 0 = none
    hidden: frozenset[int] = frozenset()
    solo: frozenset[int] = frozenset()  # if there are any, everything else is hidden
    scores: Mapping[int, float] = field(default_factory=dict)  # of the last question's hits, 0..1
    height: int = 480  # pixels of a still picture

    def shows(self, id: int) -> bool:
        """Whether an object is in the picture (0: what belongs to none)."""
        return id not in self.hidden and (not self.solo or id in self.solo)
