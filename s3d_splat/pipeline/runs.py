"""A trained run folder, opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s3d_splat.config import Config, config_from_dict
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import latest_checkpoint, load_checkpoint
from s3d_splat.io.results import read_instances
from s3d_splat.io.run_folder import RunFolder, open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.field import AnchorField, field_from_state
from s3d_splat.scaffold.state import check_state
from s3d_splat.types import Camera, Gaussians, InstanceSet, Scene


@dataclass(frozen=True)
class TrainedRun:
    """A run folder with what is needed to render from it."""

    folder: RunFolder
    scene: Scene
    config: Config
    field: AnchorField
    rasterizer: Rasterizer
    seconds: float  # of training
    peak_memory_mb: float  # of the process that trained


def open_trained(run_folder: Path) -> TrainedRun:
    """Open a run whose training has written a checkpoint.

    Raises:
        S3DError: no run, no checkpoint, or a scene that is gone or has changed.
    """
    folder = open_run(run_folder)
    config = config_from_dict(dict(folder.info.configuration))
    path = latest_checkpoint(folder.checkpoints)
    if path is None:
        raise S3DError(
            f"{run_folder} has no checkpoint",
            why="nothing has been trained into it yet",
            fix=f"s3d-splat train {folder.info.scene} {run_folder} --resume",
        )
    scene = load_scene(scene_of(folder))
    rasterizer = make_rasterizer(config.raster)
    state = load_checkpoint(path)
    try:
        check_state(state["session"]["field"], config.scaffold)
        seconds, peak_memory = (_finite(state, name) for name in ("seconds", "peak_memory_mb"))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise S3DError(
            f"{path} does not hold the model that run.json describes",
            why=reason,
            fix="restore both files from the same training, or train again",
        ) from error
    field = field_from_state(state["session"]["field"], config.scaffold).to(rasterizer.device)
    return TrainedRun(folder, scene, config, field, rasterizer, seconds, peak_memory)


def instances_of(run_folder: Path, anchors: int, children: int | None = None) -> InstanceSet:
    """The objects of a run whose field has so many anchors, and so many children of each where that is given.

    Raises:
        S3DError: `instances.npz` is missing or damaged, or was found at another step of the training.
    """
    path = run_folder / "instances.npz"
    instances = read_instances(path)
    if len(instances.anchor_instance) != anchors:
        raise S3DError(
            f"{path} has {len(instances.anchor_instance)} anchors, the checkpoint has {anchors}",
            why="the instances were found at another step of the training",
            fix=f"let the training end, or find them again: s3d-splat aggregate {run_folder}",
        )
    if children not in (None, instances.child_instance.shape[1]):
        raise S3DError(
            f"{path} has {instances.child_instance.shape[1]} children an anchor, the checkpoint has {children}",
            why="the instances belong to another training",
            fix=f"find them again: s3d-splat aggregate {run_folder}",
        )
    return instances


def _finite(state: Mapping[str, Any], name: str) -> float:
    value = float(state[name])
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


@torch.no_grad()
def decode(field: AnchorField, camera: Camera) -> Gaussians:
    """All Gaussians of a field as seen from a camera, without features and gradients."""
    return field.decode(camera, with_features=False)
