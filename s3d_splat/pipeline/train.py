"""A training, from a scene folder to a run folder with its objects."""

from __future__ import annotations

import logging
import resource
import shlex
import sys
from pathlib import Path

import torch

from s3d_splat.config import Config, config_from_dict, config_to_dict
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint, save_checkpoint
from s3d_splat.io.run_folder import RunFolder, check_unused, create_run, open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.pipeline.edit import refuse_edited
from s3d_splat.pipeline.objects import find_instances
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.training.log import keep_steps_before, log_step
from s3d_splat.training.loop import progress_bar, run_steps
from s3d_splat.training.session import StepReport, TrainingSession, open_session
from s3d_splat.types import Scene

log = logging.getLogger("s3d_splat")


def train(scene_folder: Path, run_folder: Path, config: Config, command: str) -> None:
    """Train from the start and find the instances.

    Raises:
        S3DError: the scene is not sound, or the run folder is in use already.
    """
    check_unused(run_folder)
    scene = load_scene(scene_folder)
    rasterizer = make_rasterizer(config.raster)
    session = open_session(scene, config.scaffold, config.training, rasterizer)
    run = start_run(scene, run_folder, config, command, rasterizer)
    _train_to_end(run, scene, session, config, seconds_before=0.0)


def resume_training(scene_folder: Path, run_folder: Path) -> None:
    """Go on from the last checkpoint of a run, with the run's own configuration; from the start if there is none yet.

    Raises:
        S3DError: the run belongs to another scene, or its files cannot be read.
    """
    run = open_run(run_folder)
    refuse_edited(run_folder, "trained")
    if scene_of(run).resolve() != scene_folder.resolve():
        raise S3DError(
            f"{run_folder} was trained on {run.info.scene}, not on {scene_folder}",
            why="a training goes on with the scene it began with",
            fix=f"resume with {run.info.scene}, or train {scene_folder} into another run folder",
        )
    config = config_from_dict(dict(run.info.configuration))
    scene = load_scene(scene_folder)
    session = open_session(scene, config.scaffold, config.training, make_rasterizer(config.raster))
    seconds = 0.0
    path = latest_checkpoint(run.checkpoints)
    if path is not None:
        state = load_checkpoint(path)
        session.restore(state["session"])
        seconds = state["seconds"]
    log.info("resuming at step %d of %d", session.step_index, session.total_steps)
    keep_steps_before(session.step_index, run.log, run.log)
    _train_to_end(run, scene, session, config, seconds)


def start_run(scene: Scene, run_folder: Path, config: Config, command: str, rasterizer: Rasterizer) -> RunFolder:
    """Make the run folder of a training that is about to begin."""
    return create_run(
        run_folder,
        scene.root,
        config_to_dict(config),
        shlex.split(command),
        rasterizer=rasterizer.name,
        device=str(rasterizer.device),
    )


def save_training(run: RunFolder, session: TrainingSession, seconds: float) -> None:
    """Write a checkpoint of a training that has taken `seconds` so far."""
    state = {"session": session.state(), "seconds": seconds, "peak_memory_mb": peak_memory_mb()}
    save_checkpoint(checkpoint_path(run.checkpoints, session.step_index), state)


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (on a GPU: the most that torch has allocated there)."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # bytes there, kilobytes elsewhere


def _train_to_end(run: RunFolder, scene: Scene, session: TrainingSession, config: Config, seconds_before: float) -> None:
    def save(seconds: float) -> None:
        save_training(run, session, seconds)

    def write_log(report: StepReport, seconds: float) -> None:
        log_step(run.log, report, seconds)

    log.info("training %d steps on %d images, %s", session.total_steps, len(session.views), run.root)
    with progress_bar(session.total_steps, session.step_index) as observe:
        seconds = run_steps(session, save, write_log, observe, seconds_before)
    log.info("trained in %.0f s, %d anchors", seconds, session.field.anchor_count)
    find_instances(run, scene, session.field, session.rasterizer, config.instances)
