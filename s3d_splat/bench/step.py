"""A training step part by part, measured inside the step that every training runs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import s3d_splat.raster.cpu as cpu_raster
import s3d_splat.training.session as session_module
import s3d_splat.training.ssim as ssim_module
from s3d_splat.bench.clock import matmul_gflops, peak_memory_mb, wait_for
from s3d_splat.bench.raster import measure_gaussians, using_threads
from s3d_splat.config import Config, config_from_dict
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import latest_checkpoint, load_checkpoint
from s3d_splat.io.run_folder import open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.native.raster import Bins
from s3d_splat.raster.options import Backend, RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.visibility import anchors_in_view
from s3d_splat.training.options import Stage
from s3d_splat.training.session import TrainingSession, open_session
from s3d_splat.training.stages import stage_ends
from s3d_splat.types import Camera, Gaussians

WARM_UP = 5
"""Steps before the clock runs: memory is found, the caches fill."""


class Stopwatch:
    """Seconds of functions that call each other; each second belongs to the innermost one."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []  # of every function that is running: the seconds of those that it called

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time counted under `part`."""

        def run(*arguments: Any, **named: Any) -> Any:
            wait_for(self.device)
            self._inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                wait_for(self.device)
                elapsed = time.perf_counter() - start
                self.seconds[part] += elapsed - self._inner.pop()
                if self._inner:
                    self._inner[-1] += elapsed

        return run


def parts_of(session: TrainingSession) -> tuple[tuple[str, Any, str], ...]:
    """(part, owner, attribute) of everything that a step calls; what is not here is `rest`."""
    return (
        ("select", session_module, "anchors_in_view"),
        ("decode", session.field, "decode"),
        ("render_glue", session.rasterizer, "render"),
        ("projection", cpu_raster, "project"),
        ("projection_backward", cpu_raster, "project_backward"),
        ("sort", Bins, "__init__"),
        ("raster_forward", Bins, "render"),
        ("raster_backward", Bins, "gradients"),
        ("losses", session, "_losses"),
        ("image_loss_with_gradient", ssim_module, "similarity"),
        ("autograd", torch.Tensor, "backward"),  # decode and losses backwards, since the kernels are counted apart
        ("adam", session.optimizer, "step"),
        ("growth_statistics", session, "_collect"),
        ("growth", session, "_grow"),
        ("rest", session, "step"),
    )


@contextmanager
def watched(session: TrainingSession) -> Iterator[Stopwatch]:
    """Count the time of every part of the session's steps."""
    watch = Stopwatch(session.rasterizer.device)
    with ExitStack() as stack:
        for part, owner, attribute in parts_of(session):
            stack.enter_context(patch.object(owner, attribute, watch.timed(part, getattr(owner, attribute))))
        yield watch


def measure_stage(session: TrainingSession, stage: Stage, steps: int, gflops: float) -> dict[str, Any]:
    """Mean milliseconds of a stage's first steps, whole and by part, and the raster alone on the first view after them.

    The session goes on training; anchors that grow in between stay.
    """
    stages = session.options.stages
    ends = (0, *stage_ends(session.options))
    session.step_index = ends[stages.index(stage)]
    for _ in range(WARM_UP):
        session.step()
    with watched(session) as watch:
        for _ in range(steps):
            session.step()
    parts = {name: 1e3 * seconds / steps for name, seconds in watch.seconds.items()}
    found: dict[str, Any] = {
        "stage": stage.name,
        "step_ms": sum(parts.values()),
        "parts_ms": dict(sorted(parts.items(), key=lambda item: -item[1])),
    }
    gaussians, camera = _decoded(session, stage)
    found["gaussians_decoded"] = len(gaussians.means)
    if session.rasterizer.name == "cpu":
        found["first_view"] = measure_gaussians(gaussians, camera, 5, gflops)
    return found


def measure_training(
    run: Path | None, scene: Path | None, config: Config, backend: Backend, threads: int, steps: int
) -> dict[str, Any]:
    """Steps of every stage: of a trained run with its own options, or of a scene that begins.

    Raises:
        S3DError: no run, no checkpoint, or no scene.
    """
    with using_threads(threads) as used:
        session = _session_of_run(run, backend) if run is not None else _session_of_scene(scene, config, backend)
        device = session.rasterizer.device
        gflops = matmul_gflops(5, device)
        camera = session.views[0].camera
        measured = [measure_stage(session, stage, steps, gflops) for stage in session.options.stages]
        return {
            "width": camera.width,
            "height": camera.height,
            "backend": session.rasterizer.name,
            "device": str(device),
            "threads": used,
            "matmul_gflops": gflops,
            "anchors": session.field.anchor_count,
            "gaussians": session.field.anchor_count * session.field.options.children,
            "stages": measured,
            "peak_memory_mb": peak_memory_mb(device),
        }


def _session_of_run(folder: Path, backend: Backend) -> TrainingSession:
    run = open_run(folder)
    path = latest_checkpoint(run.checkpoints)
    if path is None:
        raise S3DError(
            f"{folder} has no checkpoint",
            why="nothing has been trained into it yet",
            fix=f"train first, or measure the scene with --scene {run.info.scene}",
        )
    config = config_from_dict(dict(run.info.configuration))
    session = _session_of_scene(scene_of(run), config, backend)
    session.restore(load_checkpoint(path)["session"])
    return session


def _session_of_scene(scene: Path | None, config: Config, backend: Backend) -> TrainingSession:
    if scene is None:
        raise S3DError("there is nothing to train", why="neither a run nor a scene is given", fix="give --run or --scene")
    return open_session(load_scene(scene), config.scaffold, config.training, make_rasterizer(RasterOptions(backend)))


@torch.no_grad()
def _decoded(session: TrainingSession, stage: Stage) -> tuple[Gaussians, Camera]:
    camera = session.views[0].camera
    visible = anchors_in_view(session.field, camera)
    return session.field.decode(camera, visible, 0, with_features=stage.features), camera
