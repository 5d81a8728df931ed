"""The commands as functions: each opens what it needs, calls the rooms in order and leaves its results in the run folder."""

from __future__ import annotations

import logging
import resource
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from s3d_splat.config import Config, config_from_dict, config_to_dict
from s3d_splat.errors import S3DError
from s3d_splat.evaluation.run import evaluate_run
from s3d_splat.geometry.paths import orbit
from s3d_splat.instances.build import build_instances, mask_classes
from s3d_splat.instances.evidence import MaskedView
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint, save_checkpoint
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import (
    read_instances,
    write_colour_png,
    write_depth_png,
    write_id_png,
    write_instances,
    write_metrics,
)
from s3d_splat.io.run_folder import RunFolder, check_unused, create_run, open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.io.transforms import frame_name
from s3d_splat.panoptic.palette import panoptic_picture
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.report.html import write_report
from s3d_splat.scaffold.field import AnchorField, field_from_state
from s3d_splat.training.log import keep_steps_before, log_step
from s3d_splat.training.loop import progress_bar, run_steps
from s3d_splat.training.session import StepReport, TrainingSession, open_session
from s3d_splat.types import Camera, Frame, Gaussians, InstanceSet, Scene

log = logging.getLogger("s3d_splat")

RenderSet = Literal["test", "train", "orbit"]


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


def demo(out: Path, config: Config, command: str) -> dict[str, Any]:
    """The built-in room into `out/scene`, a run into `out/run`; returns the metrics. What is complete is not made again."""
    from s3d_splat.console import progress
    from s3d_splat.synthetic.generate import write_scene
    from s3d_splat.synthetic.options import SynthOptions

    scene, run = out / "scene", out / "run"
    if not (scene / "transforms.json").exists():
        with progress("rendering the room") as advance:
            write_scene(scene, SynthOptions(), advance)
    if not (run / "run.json").exists():
        train(scene, run, config, command)
    elif not (run / "instances.npz").exists():
        resume_training(scene, run)
    return evaluate(run)


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


def find_instances(
    run: RunFolder, scene: Scene, field: AnchorField, rasterizer: Rasterizer, options: InstanceOptions
) -> InstanceSet:
    """The objects of a trained field, from the train frames' masks, into the run folder."""
    start = time.monotonic()
    masked = [frame for frame in scene.frames if frame.split == "train" and frame.instance_path is not None]
    if not masked:
        log.warning("no train frame has instance masks: there are no instances to find")
    found = build_instances(
        field.positions,
        field.feature.detach(),
        lambda camera: decode(field, camera),
        rasterizer,
        (_masked_view(frame) for frame in masked),
        mask_classes(scene.instances, scene.classes),
        options,
    )
    write_instances(run.instances, found)
    things = int(found.is_thing.sum())
    log.info("%d things, %d stuff, in %.1f s", things, len(found.is_thing) - things, time.monotonic() - start)
    return found


def aggregate(run_folder: Path, options: InstanceOptions) -> InstanceSet:
    """Find the instances of a trained run again, with other options."""
    run = open_trained(run_folder)
    return find_instances(run.folder, run.scene, run.field, run.rasterizer, options)


def render(run_folder: Path, views: RenderSet, path_frames: int = 60) -> Path:
    """Images of a split's cameras or of a path into RUN/renders/VIEWS; returns that folder."""
    if views == "orbit" and path_frames < 1:
        raise S3DError(f"{path_frames} cameras make no path", why="a path needs one at least", fix="give --frames 1 or more")
    run = open_trained(run_folder)
    instances = instances_of(run.folder.root, run.field.anchor_count)
    cameras = _cameras(run.scene, views, path_frames)
    write_views(run, instances, cameras, views)
    return run.folder.root / "renders" / views


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Render the test views, measure everything that the truth allows, write metrics.json and report.html."""
    run = open_trained(run_folder)
    instances = instances_of(run.folder.root, run.field.anchor_count)
    fps = write_views(run, instances, _cameras(run.scene, "test", 0), "test")
    gaussians = decode(run.field, run.scene.frames[0].camera)
    metrics = evaluate_run(
        run.folder,
        run.scene,
        instances,
        gaussians,
        run.field.positions,
        train_seconds=run.seconds,
        peak_memory_mb=run.peak_memory_mb,
        fps=fps,
    )
    write_metrics(run.folder.metrics, metrics)
    write_report(run.folder.root, run.scene)
    return metrics


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
    field = field_from_state(state["session"]["field"], config.scaffold).to(rasterizer.device)
    return TrainedRun(folder, scene, config, field, rasterizer, state["seconds"], state["peak_memory_mb"])


def instances_of(run_folder: Path, anchors: int) -> InstanceSet:
    """The objects of a run whose field has so many anchors.

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
    return instances


def write_views(run: TrainedRun, instances: InstanceSet, cameras: dict[str, Camera], views: RenderSet) -> float | None:
    """Write colour, depth, instances, semantics and panoptic images, one set a camera, in place of those that were there.

    Returns views rendered per second, None without a camera.
    """
    child = instances.child_instance.reshape(-1)
    root = run.folder.root / "renders" / views
    shutil.rmtree(root, ignore_errors=True)
    seconds = 0.0
    for name, camera in cameras.items():
        start = time.perf_counter()
        gaussians = decode(run.field, camera)
        with torch.no_grad():
            output = run.rasterizer.render(gaussians, camera)
        panoptic = render_panoptic(gaussians, child, instances, run.rasterizer, camera)
        seconds += time.perf_counter() - start
        write_colour_png(root / "colour" / f"{name}.png", output.colour.cpu())
        write_depth_png(root / "depth" / f"{name}.png", output.depth.cpu())
        write_id_png(root / "instances" / f"{name}.png", panoptic.instances.cpu())
        write_id_png(root / "semantics" / f"{name}.png", panoptic.semantics.cpu())
        write_colour_png(root / "panoptic" / f"{name}.png", panoptic_picture(panoptic, output.colour))
    return len(cameras) / seconds if seconds else None


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


def _cameras(scene: Scene, views: RenderSet, path_frames: int) -> dict[str, Camera]:
    """Cameras by the name of the image that they give."""
    if views == "orbit":
        train_cameras = [frame.camera for frame in scene.frames if frame.split == "train"]
        return {f"{i:05d}": camera for i, camera in enumerate(orbit(train_cameras, path_frames))}
    return {frame_name(frame.file_path): frame.camera for frame in scene.frames if frame.split == views}


def _masked_view(frame: Frame) -> MaskedView:
    observed = load_observation(frame)
    assert observed.instances is not None
    return MaskedView(frame.camera, observed.instances, observed.semantics, observed.mask)


@torch.no_grad()
def decode(field: AnchorField, camera: Camera) -> Gaussians:
    """All Gaussians of a field as seen from a camera, without features and gradients."""
    return field.decode(camera, with_features=False)
