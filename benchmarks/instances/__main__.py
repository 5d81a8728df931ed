"""How well objects are found: `python -m benchmarks.instances QUESTION --out DIR [--data DATA]`, from the repository's root.

Questions: `clean+faults` (our method on rooms with one fault of the masks at a time), `alternatives` (what users would
otherwise pick, on the same rooms and trainings), `ablations`, `kitchen` (the real one under DATA, ids as given and new in
every frame), `aggregation-speed`, `all` of these, and `tune` (the constants of each method, over a small grid).

Whatever DIR holds already is not made again: after an interruption give the same command. Figures of other code are measured
anew; scenes and trainings of other code are not seen to be old: remove DIR/scenes or DIR/trainings. Tables go to standard
output and to DIR; --write keeps them in benchmarks/instances.json.

Constants are chosen on the seeds 0 to 4; the seeds of the table, 100 to 102, are other rooms.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from tyro.conf import OmitArgPrefixes, Positional

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch loads, here and in the processes

from benchmarks.instances.grid import run_grid
from benchmarks.instances.questions import TUNING, question, tuning
from benchmarks.instances.speed import aggregation_speed, speed_markdown
from benchmarks.instances.table import markdown, table_rows
from benchmarks.instances.tuning import best_choices, tuning_markdown
from benchmarks.instances.variants import Settings, Variant, cell
from benchmarks.instances.work import Folders
from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_json, write_text

RESULTS = Path(__file__).parents[1] / "instances.json"
Question = Literal["clean+faults", "alternatives", "ablations", "kitchen", "aggregation-speed", "all", "tune"]


@dataclass(frozen=True)
class Options:
    """What to ask, and of what."""

    question: Annotated[Question, Positional]
    out: Path  # scenes, trainings, results and tables
    data: Path | None = None  # folder with the real captures, for the kitchen
    seeds: tuple[int, ...] = (100, 101, 102)  # of rooms; of the training in the kitchen
    methods: tuple[str, ...] = ()  # only these (for tune: keys of its grids); none: all
    masks: tuple[str, ...] = ()  # only these conditions, as the tables call them ("clean", "drop" ...); none: all
    jobs: int = 1  # processes at a time
    write: bool = False  # the tables into benchmarks/instances.json too
    settings: OmitArgPrefixes[Settings] = field(default_factory=Settings)


def main(options: Options) -> None:
    """Answers the question and prints the tables.

    Raises:
        S3DError: a question about the kitchen without data, rows that no table has, or a part of a table to be kept as one.
    """
    if options.write and (options.methods or options.masks):
        raise S3DError(
            "--write keeps whole tables", why="--methods and --masks leave rows out", fix="leave out --write, or these"
        )
    asked = get_args(Question)[:-2] if options.question == "all" else (options.question,)
    folders = Folders(options.out, options.data)
    if "kitchen" in asked and not folders.kitchen.is_dir():
        raise S3DError(f"{folders.kitchen} is no folder", why="it holds the real kitchen", fix="name its parent with --data")
    for name in asked:
        if name == "aggregation-speed":
            rows: Any = aggregation_speed()
            text = speed_markdown(rows)
        elif name == "tune":
            rows, text = _tuned(options)
        else:
            rows, text = _answered(
                options, [row for row in question(name) if not options.methods or row.method in options.methods]
            )
        print(f"\n## {name}\n\n{text}", flush=True)
        write_text(options.out / f"{name}.md", text)
        _keep(options.out / f"{name}.json", rows, options)
        if options.write:
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            write_json(RESULTS, known | {name: _with_settings(rows, options)})


def _answered(options: Options, variants: Sequence[Variant]) -> tuple[list[dict[str, Any]], str]:
    wanted = [variant for variant in variants if not options.masks or variant.condition in options.masks]
    cells = [cell(variant, seed, options.settings) for variant in wanted for seed in options.seeds]
    if not cells:
        names = ", ".join(dict.fromkeys([row.method for row in variants] + [row.condition for row in variants]))
        raise S3DError("no row is left", why="--methods and --masks name rows of a table", fix=f"choose from: {names}")
    figures = run_grid(cells, options.settings, Folders(options.out, options.data), options.jobs)
    rows = table_rows(cells, figures)
    return rows, markdown(rows)


def _tuned(options: Options) -> tuple[list[dict[str, Any]], str]:
    rows: list[dict[str, Any]] = []
    for method in options.methods or TUNING:
        rows += best_choices(method, _answered(options, tuning(method))[0])
    return rows, tuning_markdown(rows)


def _keep(path: Path, rows: Any, options: Options) -> None:
    write_json(path, _with_settings(rows, options))


def _with_settings(rows: Any, options: Options) -> dict[str, Any]:
    return {"settings": vars(options.settings), "rows": rows}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        main(tyro.cli(Options))
    except S3DError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
