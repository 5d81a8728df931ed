"""Are sentences understood: `python -m benchmarks.queries QUESTION --out DIR [--data DATA]`, from the repository's root.

Questions: `rooms` (sentences about trained built-in rooms, asked through an encoder that is taught on other rooms; scenes
and trainings are those of `benchmarks.instances` with the same --out), `scannet` (class names on the published CLIP features
under DATA/scannet5), `speed` (vectors for a crowd of objects, and a question to it), `all`. Tables go to standard output and
to DIR.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch loads

from benchmarks.instances.grid import run_grid
from benchmarks.instances.questions import OURS
from benchmarks.instances.variants import Settings, cell
from benchmarks.instances.work import Folders
from benchmarks.queries.rooms import ask_room, summary
from benchmarks.queries.scannet import compare
from benchmarks.queries.speed import embedding_seconds, question_seconds
from benchmarks.queries.teacher import taught_encoder
from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_json

Question = Literal["rooms", "scannet", "speed", "all"]


@dataclass(frozen=True)
class Options:
    """What to ask, and of what."""

    question: Annotated[Question, Positional]
    out: Path  # scenes, trainings, results and tables
    data: Path | None = None  # folder with scannet5/
    seeds: tuple[int, ...] = (100, 101, 102)  # of the rooms that are asked about
    teachers: tuple[int, ...] = (5, 6, 7)  # seeds of the rooms that the encoder learns from
    lessons: int = 40  # frames of each of these
    instances: int = 1_000  # for speed
    views: int = 10  # of each of these
    jobs: int = 1  # trainings at a time


def main(options: Options) -> None:
    """Answers the question and prints the tables.

    Raises:
        S3DError: the published features are asked for and not there.
    """
    asked = ("rooms", "scannet", "speed") if options.question == "all" else (options.question,)
    if "scannet" in asked and (options.data is None or not (options.data / "scannet5").is_dir()):
        raise S3DError(
            "there is no scannet5", why="its features are no part of the repository", fix="name its parent: --data"
        )
    for name in asked:
        found = {"rooms": _rooms, "scannet": _scannet, "speed": _speed}[name](options)
        print(f"\n## {name}\n\n{_table(found)}", flush=True)
        write_json(options.out / f"queries-{name}.json", {"rows": found})


def _rooms(options: Options) -> list[dict[str, Any]]:
    settings, folders = Settings(), Folders(options.out, options.data)
    cells = [cell(OURS, seed, settings) for seed in options.seeds]
    run_grid(cells, settings, folders, options.jobs)
    encoder = taught_encoder(options.out / "scenes", options.teachers, options.lessons)
    rows: list[dict[str, Any]] = []
    for one in cells:
        rows += [{"seed": one.seed, **row} for row in ask_room(folders.result(one), one.seed, encoder)]
    print("\n".join(f"{name} {value:.3f}" for name, value in summary(rows).items()))
    return rows


def _scannet(options: Options) -> list[dict[str, Any]]:
    assert options.data is not None
    return list(compare(options.data / "scannet5"))


def _speed(options: Options) -> list[dict[str, Any]]:
    made = embedding_seconds(options.instances, options.views)
    asked = question_seconds(options.instances)
    return [
        {"what": f"vectors of {options.instances} objects, {options.views} views", **made},
        *({"what": text, "seconds": seconds} for text, seconds in asked.items()),
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_shown(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except S3DError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
