"""Where a training under nerfstudio writes, and which earlier training it continues."""

from __future__ import annotations

import logging
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from nerfstudio_plugin.config import SplatTrainerConfig
from s3d_splat.config import Config, config_from_dict
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint
from s3d_splat.io.run_folder import RunFolder, open_run, scene_of
from s3d_splat.pipeline.train import start_run
from s3d_splat.raster.base import Rasterizer
from s3d_splat.training.log import keep_steps_before
from s3d_splat.training.session import TrainingSession
from s3d_splat.types import Scene

log = logging.getLogger("s3d_splat")


@dataclass(frozen=True)
class Source:
    """An earlier training: its run folder, and the checkpoint to take (None: the last)."""

    run: RunFolder
    step: int | None  # as our checkpoints count: steps done


def open_folder(root: Path, scene: Scene, config: Config, rasterizer: Rasterizer) -> tuple[RunFolder, bool]:
    """The run folder `root`, made if it is new; and whether it held this training already.

    Raises:
        S3DError: it holds a run of another scene or with another configuration.
    """
    if not (root / "run.json").exists():
        return start_run(scene, root, config, shlex.join(["ns-train", *sys.argv[1:]]), rasterizer), False
    run = open_run(root)
    same_scene = scene_of(run).resolve() == scene.root.resolve()
    if not same_scene or config_from_dict(dict(run.info.configuration)) != config:
        raise S3DError(
            f"{root} holds a run {'with other options' if same_scene else 'of ' + run.info.scene}",
            why="a run is never overwritten, and goes on only as it began",
            fix="name another folder, repeat the options of that run, or remove the folder",
        )
    return run, True


def named_source(config: SplatTrainerConfig) -> Source | None:
    """The earlier training that --load-dir or --load-checkpoint names.

    Raises:
        S3DError: what is named belongs to no run.
    """
    if config.load_dir is not None:
        folder = config.load_dir
        root = folder if (folder / "run.json").exists() else folder.parent
        return Source(open_run(root), None if config.load_step is None else config.load_step + 1)
    if config.load_checkpoint is not None:
        name = re.fullmatch(r"step-(\d+)\.ckpt", config.load_checkpoint.name)
        if name is None:
            raise S3DError(
                f"{config.load_checkpoint} is no checkpoint of a run",
                why="a training goes on from the checkpoints of its run folder",
                fix="name RUN/nerfstudio_models/step-N.ckpt, or --load-dir RUN/nerfstudio_models",
            )
        return Source(open_run(config.load_checkpoint.parent.parent), int(name[1]) + 1)
    return None


def restore(session: TrainingSession, source: Source, target: RunFolder) -> float:
    """Bring the session to where the source stopped, and its log into the target's; returns its seconds of training.

    Raises:
        S3DError: the checkpoint is missing or damaged.
    """
    folder = source.run.checkpoints
    path = latest_checkpoint(folder) if source.step is None else checkpoint_path(folder, source.step)
    if path is None:
        log.info("%s has no checkpoint yet: training from the start", source.run.root)
        return 0.0
    _check_same_kind(source.run, target)
    state = load_checkpoint(path)
    session.restore(state["session"])
    log.info("%s: going on at step %d of %d", source.run.root, session.step_index, session.total_steps)
    keep_steps_before(session.step_index, source.run.log, target.log)
    return float(state["seconds"])


def _check_same_kind(source: RunFolder, target: RunFolder) -> None:
    """A checkpoint fits the scene that it was trained on and a field of the same make.

    Raises:
        S3DError: scene or scaffold options differ.
    """
    same_scene = source.info.scene_hash == target.info.scene_hash
    theirs, ours = (config_from_dict(dict(run.info.configuration)).scaffold for run in (source, target))
    if not same_scene or theirs != ours:
        raise S3DError(
            f"{source.root} was trained {'with other scaffold options' if same_scene else 'on another scene'}",
            why="its anchors belong to that scene, and its parameters to that field",
            fix="give the scene and the scaffold options of that run, or train from the start",
        )
