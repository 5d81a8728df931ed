"""The whole scene, or some of its objects, as one PLY for splat viewers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.ply import write_baked_ply
from s3d_splat.export.splats import splats_of


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `ply`."""
    splats = splats_of(trained, options, advance)
    write_baked_ply(out, splats.baked, splats.instance if options.instance_property else None)
    return splats.figures | {"objects": len(splats.objects)}
