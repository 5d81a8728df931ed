"""Two trainings at once against the same two one after the other; above 1, sharing the cores costs nothing.

Every training is `s3d-splat train` in a process of its own. What is compared is the trainings' own seconds of steps, as the
last line of their logs says, so that starting and grouping objects are left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

COMMAND = [sys.executable, "-c", "from s3d_splat.cli import main; main()", "train"]


@dataclass(frozen=True)
class Options:
    """What to train."""

    scene: Annotated[Path, Positional]
    steps: int = 300
    anchors: int = 10_000


def start(options: Options, run: Path) -> subprocess.Popen[bytes]:
    """A training that has begun."""
    flags = {
        "preset": "cpu",
        "training.steps": options.steps,
        "scaffold.anchors": options.anchors,
        "scaffold.growth.max-anchors": options.anchors,
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen([*COMMAND, str(options.scene), str(run), *words], stdout=subprocess.DEVNULL)


def seconds(run: Path) -> float:
    """Seconds that the steps of a finished training took."""
    return float(json.loads((run / "log.jsonl").read_text().splitlines()[-1])["seconds"])


def finish(training: subprocess.Popen[bytes]) -> None:
    """Wait for a training; it must have succeeded."""
    if training.wait():
        raise SystemExit("a training failed")


def main(options: Options) -> None:
    """Trains four times and prints the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / name for name in ("first", "second", "left", "right")]
        for run in runs[:2]:
            finish(start(options, run))
        for training in [start(options, run) for run in runs[2:]]:
            finish(training)
        apart, together = sum(map(seconds, runs[:2])), max(map(seconds, runs[2:]))
    print(f"one after the other {apart:.1f} s, at once {together:.1f} s: {apart / together:.2f} times as fast")


if __name__ == "__main__":
    main(tyro.cli(Options))
