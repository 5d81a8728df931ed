"""Parts of a stage that do not depend on each other, such as one for each cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from s3d_splat.console import Advance

Value = TypeVar("Value")


@dataclass(frozen=True)
class Part(Generic[Value]):
    """One of several parts of a stage; `make` must survive being sent to another process."""

    title: str  # for people
    options: object  # as for a stage
    make: Callable[[Path, Advance], Value]


@dataclass(frozen=True)
class TimedPart(Generic[Value]):
    """A result and the seconds that it took, wherever it is made."""

    make: Callable[[Path, Advance], Value]
    files: Path

    def __call__(self, advance: Advance) -> tuple[Value, float]:
        start = time.monotonic()
        return self.make(self.files, advance), time.monotonic() - start
