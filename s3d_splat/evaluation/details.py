"""What stands behind the figures, as a table that a spreadsheet reads: one row per scene, class, object or image."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3d_splat.io.atomic import replacing

KINDS = {"per_scene": "scene", "per_class": "class", "per_object": "object", "per_image": "image"}


def write_details(path: Path, result: Mapping[str, Any]) -> None:
    """Write the rows of `per_scene`, `per_class`, `per_object` and `per_image` of an evaluation; what is not known is empty.

    Raises:
        S3DError: the file cannot be written.
    """
    rows = [{"kind": kind, **row} for key, kind in KINDS.items() for row in result.get(key, ())]
    columns = list(dict.fromkeys(["kind", "scene", *(name for row in rows for name in row)]))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def mean_over_scenes(scenes: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of every value over the scenes that have it, each with equal weight; None where none has."""
    result: dict[str, float | None] = {}
    for name in dict.fromkeys(name for scene in scenes for name in scene):
        values = [value for scene in scenes if (value := scene.get(name)) is not None]
        result[name] = sum(values) / len(values) if values else None
    return result
