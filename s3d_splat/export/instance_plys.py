"""Each object as a PLY of its own for splat viewers, with a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.ply import write_baked_ply
from s3d_splat.export.splats import splats_of
from s3d_splat.io.atomic import write_json


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `instances-ply`: `NAME_ID.ply` for each object, and `instances.json`, which lists them."""
    splats = splats_of(trained, options, advance)
    rows = []
    for entry in splats.objects:
        file = f"{entry.name}.ply"
        instance = splats.instance[splats.instance == entry.id] if options.instance_property else None
        write_baked_ply(out / file, splats.of(entry.id), instance)
        rows.append({"file": file, **entry.row()})
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "instances.json", rows)
    return splats.figures | {"objects": len(rows), "unowned": int((splats.instance == 0).sum())}
