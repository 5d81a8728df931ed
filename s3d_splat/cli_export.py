"""`s3d-splat export ...`: a run in the formats of other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from s3d_splat.cli_evaluate import Json
from s3d_splat.export.options import ExportOptions, FormatName

_OPTIONS = ExportOptions()


def export(
    run: Annotated[Path, arg(metavar="RUN")],
    /,
    out: Path,
    format: FormatName = "ply",
    options: Annotated[ExportOptions, arg(name="")] = _OPTIONS,
    json_output: Json = False,
) -> None:
    """Write a trained run in a format that other programs open.

    Files: ply, splat and spz (Gaussians for splat viewers), glb and usd (a mesh with a named node for each object),
    camera-path (JSON for `ns-render camera-path`). Folders: instances-ply (a PLY for each object, and a table), mesh (the
    scene and each object), coco-panoptic (panoptic.json and images), scannet (text files of the ScanNet benchmark).

    Args:
        run: A trained or edited run folder.
        out: The file or folder to write; it is taken as given, with or without a suffix.
        format: What is written.
    """
    from s3d_splat.pipeline.export import export as write

    found = write(run, out, format, options)
    print(json.dumps(found, allow_nan=False)) if json_output else _print(found)


def _print(found: dict[str, Any]) -> None:
    from s3d_splat.console import metrics_table

    metrics_table({name: value for name, value in found.items() if name not in ("format", "out")})
    for note in found.get("notes", ()):
        print(f"note: {note}")
    print(f"wrote {found['out']}")
