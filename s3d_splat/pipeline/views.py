"""Pictures of a trained run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Literal

import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.paths import orbit
from s3d_splat.io.results import write_colour_png, write_depth_png, write_id_png
from s3d_splat.io.transforms import frame_name
from s3d_splat.panoptic.palette import panoptic_picture
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.pipeline.runs import TrainedRun, decode, instances_of, open_trained
from s3d_splat.types import Camera, InstanceSet, Scene

RenderSet = Literal["test", "train", "orbit"]


def render(run_folder: Path, views: RenderSet, path_frames: int = 60) -> Path:
    """Images of a split's cameras or of a path into RUN/renders/VIEWS; returns that folder."""
    if views == "orbit" and path_frames < 1:
        raise S3DError(f"{path_frames} cameras make no path", why="a path needs one at least", fix="give --frames 1 or more")
    run = open_trained(run_folder)
    instances = instances_of(run.folder.root, run.field.anchor_count, run.field.options.children)
    cameras = cameras_of(run.scene, views, path_frames)
    write_views(run, instances, cameras, views)
    return run.folder.root / "renders" / views


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


def cameras_of(scene: Scene, views: RenderSet, path_frames: int) -> dict[str, Camera]:
    """Cameras by the name of the image that they give."""
    if views == "orbit":
        train_cameras = [frame.camera for frame in scene.frames if frame.split == "train"]
        return {f"{i:05d}": camera for i, camera in enumerate(orbit(train_cameras, path_frames))}
    return {frame_name(frame.file_path): frame.camera for frame in scene.frames if frame.split == views}
