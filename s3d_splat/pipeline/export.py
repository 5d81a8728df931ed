"""Trained runs in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3d_splat.console import progress
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.folder import list_files, replacing_folder
from s3d_splat.export.options import ExportOptions, FormatName
from s3d_splat.export.registry import FORMATS, check_options, check_target, exporter
from s3d_splat.pipeline.runs import decode, instances_of, open_trained


def export(run_folder: Path, out: Path, name: FormatName, options: ExportOptions) -> dict[str, Any]:
    """Write a run to `out` in a format; returns what the user is told: `format`, `out`, counts, figures, `notes`.

    Raises:
        S3DError: the options do not fit the format, `out` is in use, or the run is not as it should be.
    """
    check_options(name, options)
    check_target(name, out)
    write = exporter(name)
    trained = open_exportable(run_folder)
    with progress(f"writing {out}") as advance:
        if FORMATS[name].is_folder:
            with replacing_folder(out) as folder:
                found = write(trained, folder, options, advance)
                if not FORMATS[name].only:
                    list_files(folder, name)
        else:
            found = write(trained, out, options, advance)
    return {"format": name, "out": str(out), **found}


def open_exportable(run_folder: Path) -> TrainedScene:
    """A trained or edited run, as formats take it.

    Raises:
        S3DError: no run, no checkpoint, no objects, or files that do not fit together.
    """
    run = open_trained(run_folder)
    return TrainedScene(
        run.scene,
        instances_of(run_folder, run.field.anchor_count, run.field.options.children),
        run.field.positions,
        lambda camera: decode(run.field, camera),
        run.rasterizer,
        run.config.scaffold.view_dependent_opacity,
    )
