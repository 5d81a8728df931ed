"""`s3d-splat synth`: builds the room, looks at it from every pose, and writes the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from s3d_splat.io.scene_writer import SceneWriter, TruthPoints
from s3d_splat.synthetic.label_faults import LabelFaults
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.points import VisibilityFilter, surface_points
from s3d_splat.synthetic.pose_faults import faulty_depth, faulty_poses
from s3d_splat.synthetic.proxy import POINTS_PER_ROOM, ProxyFusion
from s3d_splat.synthetic.render import Pinhole, RenderedFrame
from s3d_splat.synthetic.stage import Stage, class_table, make_stage, stream
from s3d_splat.types import Camera, Observation, ProxyGeometry, Split

Progress = Callable[[int, int], None]
_WORKERS = 2
_TEST_EVERY = 8


def write_scene(folder: Path, options: SynthOptions, progress: Progress | None = None, *, replace: bool = False) -> None:
    """Write the built-in room of `options` as a scene folder; the folder appears when it is complete.

    Args:
        progress: called with (frames done, frames in all).
        replace: an earlier scene in `folder` gives way.

    Raises:
        S3DError: `folder` holds something already, the disk is full, or there is no ray caster for this machine.
    """
    with SceneWriter(folder, replace=replace) as writer:
        stage = make_stage(options)
        _write_frames(writer, stage, options, progress)


def _write_frames(writer: SceneWriter, stage: Stage, options: SynthOptions, progress: Progress | None) -> None:
    labels = LabelFaults(options, stage.world.instance_class, stage.world.names)
    given_poses = faulty_poses(stage.poses, options)
    fusion = ProxyFusion(stage.camera)
    surface = surface_points(stage.world, stream(options.seed, "points"))
    visible = VisibilityFilter(stage.world, surface, stage.camera, stage.caster)
    for index, frame in enumerate(rendered(stage)):
        split = split_of(index)
        depth = faulty_depth(frame.depth, index, options)
        masks = labels.apply(index, frame.instances)
        name = f"{index:05d}.png"
        writer.add_frame(name, _camera(stage.camera, given_poses[index]), split, _observation(frame, depth, masks))
        truth = _observation(frame, frame.depth, (frame.instances, stage.world.instance_class[frame.instances]))
        writer.add_truth_frame(name, _camera(stage.camera, stage.poses[index]), truth)
        if split == "train":
            fusion.add(given_poses[index], depth, frame.image)
            visible.add_view(stage.poses[index], frame.depth)
        if progress is not None:
            progress(index + 1, options.frames)
    seen = visible.seen()
    instance = stage.world.face_instance[surface.face[seen]]
    cloud = fusion.cloud(POINTS_PER_ROOM * options.rooms, stream(options.seed, "proxy"))
    classes = class_table(stage.world)
    writer.finish(
        proxy=ProxyGeometry(torch.from_numpy(cloud.points), torch.from_numpy(cloud.colours) / 255),
        classes=classes,
        instances=labels.table(),
        truth_classes=classes,
        truth_points=TruthPoints(
            torch.from_numpy(surface.xyz[seen].astype(np.float32)),
            torch.from_numpy(instance),
            torch.from_numpy(stage.world.instance_class[instance]),
        ),
    )


def split_of(index: int) -> Split:
    """Every eighth frame is a test frame, never the first."""
    return "test" if index % _TEST_EVERY == _TEST_EVERY // 2 else "train"


def rendered(stage: Stage) -> Iterator[RenderedFrame]:
    """All frames in order; two threads work ahead (the ray caster and most of NumPy let go of Python's lock)."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(stage.renderer.render, stage.poses)


def _camera(camera: Pinhole, pose: Float[np.ndarray, "4 4"]) -> Camera:
    return Camera(torch.from_numpy(pose), camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)


def _observation(
    frame: RenderedFrame,
    depth: Float[np.ndarray, "h w"],
    masks: tuple[Int[np.ndarray, "h w"], Int[np.ndarray, "h w"]] | None,
) -> Observation:
    instances, semantics = (None, None) if masks is None else (torch.from_numpy(labels) for labels in masks)
    return Observation(torch.from_numpy(frame.image), torch.from_numpy(depth), instances, semantics)
