"""The tables of the rasterizer: the scene on which others were measured, a small view, and how the cost grows.

Every row is `s3d-splat bench raster` in a process of its own, so that its peak of memory is its own. Times are milliseconds,
memory is MB, shares are parts of the machine's float32 matrix product. With --run the training step of a trained room is
added, by part. What is printed is Markdown; --write keeps the tables of benchmarks/raster.json that were not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from s3d_splat.io.atomic import write_text

COMMAND = [sys.executable, "-c", "from s3d_splat.cli import main; main()", "bench", "raster", "--json"]
TABLES: dict[str, list[dict[str, int]]] = {
    "scene of the comparison": [{"channels": channels} for channels in (3, 12)],
    "small view": [{"width": 160, "height": 120, "gaussians": 10_000}],
    "growth over Gaussians": [{"gaussians": count} for count in (10_000, 100_000, 1_000_000)],
    "growth over pixels": [{"width": 160 * k, "height": 120 * k} for k in (1, 2, 4, 8)],
    "growth over channels": [{"channels": channels} for channels in (3, 6, 12, 24, 32, 64)],
    "growth over threads": [{"threads": threads} for threads in (1, 2)],
}
COLUMNS = {
    "width": "width",
    "height": "height",
    "gaussians": "Gaussians",
    "channels": "channels",
    "threads": "threads",
    "raster_ms": "fwd+bwd ms",
    "sort_ms": "sort",
    "forward_ms": "forward",
    "backward_ms": "backward",
    "project_ms": "project",
    "project_backward_ms": "project bwd",
    "render_ms": "render",
    "render_backward_ms": "render fwd+bwd",
    "contributing_pairs": "pairs",
    "peak_share": "of peak",
    "peak_share_lanes": "of peak, lanes",
    "peak_memory_forward_mb": "MB forward",
    "peak_memory_mb": "MB",
}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    backend: str = "auto"
    repeats: int = 7
    run: Path | None = None  # a trained run, for the training step
    only_step: bool = False  # nothing but the training step
    name: str = "training step"  # of its table, to keep one from another version beside it
    write: bool = False  # into benchmarks/raster.json


def measured(flags: dict[str, Any]) -> dict[str, Any]:
    """One call of the command."""
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    finished = subprocess.run([*COMMAND, *words], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def short(value: float) -> str:
    """A number of three digits, or a whole one."""
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{round(value):,}"


def print_table(title: str, rows: list[dict[str, float]]) -> None:
    """Rows of the same columns."""
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---:|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(short(value) for value in row.values()) + " |", flush=True)


def shown(row: dict[str, Any]) -> dict[str, float]:
    """What of a row stands in the table."""
    return {title: row[name] for name, title in COLUMNS.items() if name in row}


def print_step(title: str, measured_step: dict[str, Any]) -> None:
    """One row a stage: the whole step, then its parts."""
    names = list(measured_step["stages"][-1]["parts_ms"])
    print(f"\n{title} (float32 matrix product: {measured_step['matmul_gflops']:.0f} GFLOP/s)\n")
    print("| stage | step | " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|---|---:|" + "---:|" * len(names))
    for stage in measured_step["stages"]:
        parts = (f"{stage['parts_ms'].get(name, 0.0):.1f}" for name in names)
        print(f"| {stage['stage']} | {stage['step_ms']:.1f} | " + " | ".join(parts) + " |", flush=True)


def main(options: Options) -> None:
    """Measures and prints."""
    common = {"backend": options.backend, "repeats": options.repeats}
    result: dict[str, Any] = {}
    for title, rows in ({} if options.only_step else TABLES).items():
        result[title] = [measured({**common, **row}) for row in rows]
        peaks = ", ".join(f"{row['matmul_gflops']:.0f}" for row in result[title])
        print_table(f"{title} (float32 matrix product: {peaks} GFLOP/s)", [shown(row) for row in result[title]])
    if options.run is not None:
        result[options.name] = measured({"backend": options.backend, "run": options.run})
        print_step(options.name, result[options.name])
    if options.write:
        path = Path(__file__).with_suffix(".json")
        kept = json.loads(path.read_text()) if path.exists() else {}
        write_text(path, json.dumps({**kept, **result}, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
