"""The training log: one JSON object a line, in the order of the steps."""

from __future__ import annotations

import json
from pathlib import Path

from s3d_splat.io.atomic import write_text
from s3d_splat.training.session import StepReport


def log_step(path: Path, report: StepReport, seconds: float) -> None:
    """Append a step; `seconds` is the time of training so far."""
    line = {"step": report.step, "stage": report.stage, "seconds": round(seconds, 3), "psnr": report.psnr, **report.losses}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def keep_steps_before(step: int, source: Path, target: Path) -> None:
    """Write the lines of `source` that come before `step` to `target` (they may be the same file).

    An interrupted training logged more than its last checkpoint knows; those steps run again.
    """
    if not source.exists():
        return
    kept = []
    for line in source.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # the line that a kill cut short
            continue
        if entry["step"] < step:
            kept.append(line + "\n")
    write_text(target, "".join(kept))
