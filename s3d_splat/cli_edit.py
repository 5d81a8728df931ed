"""`s3d-splat edit ...`: objects of a trained run removed, moved, turned, scaled, copied or recoloured."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from s3d_splat.cli_evaluate import Json
from s3d_splat.errors import S3DError


def edit(
    run: Annotated[Path, arg(metavar="RUN")],
    step: Annotated[tuple[str, ...], arg(metavar="STEP ...")] = (),
    /,
    out: Path | None = None,
    steps: Annotated[Path | None, arg(metavar="FILE.json")] = None,
    json_output: Json = False,
) -> None:
    """Change objects of a trained run: "remove 12 13", "move 7 by 0.5 0 0". The result is a run of its own.

    Steps are done in order: remove IDS [unfilled], extract IDS, recolour IDS to COLOUR [strength S], move IDS by X Y Z,
    rotate IDS by DEGREES [about X Y Z], scale IDS by FACTOR, duplicate IDS by X Y Z. Lengths are metres in the axes of the
    world; COLOUR is a name, #rrggbb or three numbers. Without a step the objects are listed.

    Args:
        run: A trained run folder; nothing in it changes.
        step: What to do; quote each step.
        out: The run folder to write; it must not exist yet.
        steps: Do first what an edits.json lists, as every edited run holds one.
    """
    from s3d_splat.editing.store import read_edits
    from s3d_splat.editing.words import read_step
    from s3d_splat.pipeline import edit as pipeline

    asked = (*(read_edits(steps).steps if steps else ()), *(read_step(text) for text in step))
    if not asked and steps is None:
        if out is not None:
            raise S3DError(
                "--out was given without a step",
                why="there is nothing to write",
                fix=f's3d-splat edit {run} "remove 1" --out {out}',
            )
        _list(run, json_output)
        return
    if out is None:
        raise S3DError("an edit needs --out", why="it is written as a new run", fix="name a folder that does not exist yet")
    done = pipeline.edit(run, asked, out, shlex.join(["s3d-splat", *sys.argv[1:]]))
    if json_output:
        print(json.dumps({"out": str(out), "steps": done}, allow_nan=False))
        return
    for entry in done:
        print(entry["summary"])
    print(f"wrote {out}; next: s3d-splat render {out}")


def _list(run: Path, json_output: bool) -> None:
    from s3d_splat.console import rows_table
    from s3d_splat.pipeline import edit as pipeline

    objects = pipeline.listed_objects(run)
    if json_output:
        print(json.dumps({"objects": objects}, allow_nan=False))
        return
    for entry in objects:
        entry["position"] = ", ".join(f"{value:.2f}" for value in entry["position"])
        entry["extent"] = " x ".join(f"{value:.2f}" for value in entry["extent"])
    rows_table("", objects)
    print(f'next: s3d-splat edit {run} "remove ID" --out NEW_RUN')
