"""`s3d-splat bench ...`: how fast it is on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg
from tyro.extras import SubcommandApp

from s3d_splat.bench.options import RasterBench
from s3d_splat.cli_evaluate import Json
from s3d_splat.errors import S3DError
from s3d_splat.raster.options import Backend


def bench_raster(
    width: int = RasterBench.width,
    height: int = RasterBench.height,
    gaussians: int = RasterBench.gaussians,
    channels: int = RasterBench.channels,
    backend: Backend = "auto",
    threads: int = 0,
    repeats: int = RasterBench.repeats,
    run: Annotated[Path | None, arg(metavar="RUN")] = None,
    scene: Annotated[Path | None, arg(metavar="SCENE")] = None,
    steps: int = 40,
    json_output: Json = False,
) -> None:
    """The rasterizer on a fixed scene, or whole training steps of a run or a scene: milliseconds, pairs, share of the peak.

    Args:
        width: Pixels of the fixed scene.
        height: Pixels of the fixed scene.
        gaussians: Gaussians of the fixed scene.
        channels: Channels composited at once in the fixed scene.
        backend: The rasterizer to measure.
        threads: 0 for all cores.
        repeats: The shortest of so many runs counts.
        run: Measure training steps of this run (which stays as it is), stage by stage and part by part.
        scene: The same on a scene that has not been trained.
        steps: Training steps measured in each stage.
    """
    if run is not None and scene is not None:
        raise S3DError("--run and --scene exclude each other", why="a run knows its scene", fix="give one of them")
    options = RasterBench(width, height, gaussians, channels, backend, threads, repeats)
    if run is None and scene is None:
        from s3d_splat.bench.raster import measure_raster

        found = measure_raster(options)
    else:
        from s3d_splat.bench.raster import check
        from s3d_splat.bench.step import measure_training
        from s3d_splat.config import automatic_preset, load_preset

        check(options)
        if steps < 1:
            raise S3DError(f"--steps {steps} measures nothing", why="a time needs a step", fix="give at least 1")
        found = measure_training(run, scene, load_preset(automatic_preset()), backend, threads, steps)
    if json_output:
        print(json.dumps(found, allow_nan=False))
    else:
        _show(found)


def bench_app() -> SubcommandApp:
    """All commands of `s3d-splat bench`."""
    app = SubcommandApp()
    app.command(name="raster")(bench_raster)
    return app


def _show(found: Mapping[str, Any]) -> None:
    from s3d_splat.console import metrics_table, rows_table

    metrics_table(found)
    for stage in found.get("stages", ()):
        total = stage["step_ms"]
        rows = [{"part": name, "ms": ms, "share": ms / total} for name, ms in stage["parts_ms"].items()]
        rows_table(f"{stage['stage']}: {total:.1f} ms a step", rows)
        metrics_table(stage.get("first_view", {}))
