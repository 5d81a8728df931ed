"""What `s3d-splat synth` can be asked for; plain values, no heavy imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from s3d_splat.errors import S3DError

Kind = Literal["scene", "capture"]
FaultLevel = float | Literal["frame"]

FAULT_NAMES = (
    "gauge",
    "drift",
    "pose-noise",
    "depth-noise",
    "jitter",
    "drop",
    "merge",
    "split",
    "renumber",
    "missing",
)


@dataclass(frozen=True)
class SynthOptions:
    """One built-in room; the same values give the same files, byte for byte."""

    kind: Kind = "scene"  # "scene": a scene folder; "capture": what `prepare` reads, cut into clusters
    frames: int = 150
    width: int = 320  # pixels
    height: int = 240  # pixels
    rooms: int = 1  # more than one: rooms along a corridor
    seed: int = 0  # draws layout, colours, path and noise
    faults: tuple[tuple[str, FaultLevel], ...] = ()  # (name, level), see `parse_fault`

    def __post_init__(self) -> None:
        _require(self.frames >= 8, f"{self.frames} frames are too few.", "Ask for at least 8; every 8th is a test frame.")
        _require(min(self.width, self.height) >= 32, f"{self.width} x {self.height} is too small.", "Use at least 32 x 32.")
        _require(self.rooms >= 1, f"{self.rooms} rooms cannot be built.", "Ask for at least one room.")
        _require(self.seed >= 0, f"The seed {self.seed} is negative.", "Use a seed of 0 or more.")
        names = [name for name, _ in self.faults]
        _require(len(names) == len(set(names)), "A fault is given twice.", "Give each fault once, with one level.")
        for name, level in self.faults:
            _check_fault(name, level)
        gauge_fits = self.kind == "capture" or "gauge" not in names
        _require(
            gauge_fits,
            "The fault 'gauge' moves clusters, and a scene has none.",
            "Add --kind capture or leave the fault out.",
        )


def parse_fault(text: str) -> tuple[str, FaultLevel]:
    """`NAME`, `NAME=LEVEL` or `renumber=frame` as (name, level); the level is 1 unless given.

    Raises S3DError for a name that does not exist or a level that is not a number of at least 0.
    """
    name, separator, level_text = text.partition("=")
    if not separator:
        level: FaultLevel = 1.0
    elif level_text == "frame":
        level = "frame"
    else:
        try:
            level = float(level_text)
        except ValueError:
            raise S3DError(
                f"The level {level_text!r} of the fault {name!r} is not a number.",
                why="A fault's strength is linear in its level, 1 being the ordinary strength.",
                fix=f"Write for example --fault {name}=0.5.",
            ) from None
    _check_fault(name, level)
    return name, level


def fault_level(options: SynthOptions, name: str) -> float:
    """The level of a fault, 0 where it was not asked for; `renumber=frame` counts as 1."""
    level = dict(options.faults).get(name, 0.0)
    return 1.0 if level == "frame" else float(level)


def _check_fault(name: str, level: FaultLevel) -> None:
    _require(name in FAULT_NAMES, f"There is no fault {name!r}.", "Use one of: " + ", ".join(FAULT_NAMES) + ".")
    if level == "frame":
        _require(name == "renumber", f"The fault {name!r} takes no 'frame'.", "Only renumber=frame exists; give a number.")
    else:
        _require(0 <= float(level) < 1e6, f"The level {level} of {name!r} is out of range.", "Give a level of 0 or more.")


def _require(condition: bool, what: str, fix: str) -> None:
    if not condition:
        raise S3DError(what, why="The built-in room cannot be made from these options.", fix=fix)
