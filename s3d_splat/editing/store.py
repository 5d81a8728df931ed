"""`edits.json`: what was done to a trained run, in the order in which it was done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dacite

from s3d_splat.editing.operations import Duplicate, Extract, Move, Operation, Recolour, Remove, Rotate, Scale
from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_json
from s3d_splat.io.labels import read_json

EDITS = "edits.json"
FORMAT_VERSION = 1
OPERATIONS: dict[str, type[Operation]] = {
    kind.__name__.lower(): kind for kind in (Remove, Extract, Recolour, Move, Rotate, Scale, Duplicate)
}


@dataclass(frozen=True)
class Edits:
    """The run that was trained, and all that was done to it since."""

    source: str  # absolute path of the trained run
    steps: tuple[Operation, ...]


def write_edits(path: Path, edits: Edits) -> None:
    """Write the steps as a list of plain objects, each with the name of its operation."""
    steps = [plain(step) for step in edits.steps]
    write_json(path, {"format_version": FORMAT_VERSION, "source": edits.source, "steps": steps})


def plain(step: Operation) -> dict[str, Any]:
    """An operation as plain values, its name first."""
    return {"operation": type(step).__name__.lower(), **dataclasses.asdict(step)}


def read_edits(path: Path) -> Edits:
    """Read what `write_edits` wrote, or a file by hand in the same form (`source` and `format_version` may be missing).

    Raises:
        S3DError: missing, no JSON, an unknown operation, or a value of another type.
    """
    value = read_json(path, why="it lists the steps of an edit", fix="name an edits.json that `s3d-splat edit` wrote")
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        raise _damaged(path, "it has no list of steps")
    if value.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        raise _damaged(path, f"it has format version {value['format_version']}, this version reads {FORMAT_VERSION}")
    source = value.get("source", "")
    if not isinstance(source, str):
        raise _damaged(path, "its source is no path")
    return Edits(source, tuple(_step(path, number, step) for number, step in enumerate(value["steps"], start=1)))


def _step(path: Path, number: int, value: Any) -> Operation:
    kind = OPERATIONS.get(str(value.get("operation"))) if isinstance(value, dict) else None
    if kind is None:
        raise _damaged(path, f"step {number} is none of the operations {', '.join(OPERATIONS)}")
    given = {name: entry for name, entry in value.items() if name != "operation"}
    try:
        return dacite.from_dict(kind, given, dacite.Config(strict=True, cast=[tuple], type_hooks={float: _number}))
    except (dacite.DaciteError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, f"step {number} ({value['operation']}): {error}") from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _damaged(path: Path, what: str) -> S3DError:
    return S3DError(f"{path} cannot be replayed: {what}", why="every step is done as it is written", fix="correct the file")
