"""`s3d-splat synth`: builds the room, looks at it from every pose, and writes the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from s3d_splat.io.scene_writer import SceneWriter
from s3d_splat.synthetic.capture import CaptureWriter
from s3d_splat.synthetic.label_faults import LabelFaults
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.pose_faults import faulty_depth, faulty_poses
from s3d_splat.synthetic.proxy import POINTS_PER_ROOM, ProxyFusion
from s3d_splat.synthetic.render import RenderedFrame
from s3d_splat.synthetic.stage import Stage, class_table, make_stage, stream
from s3d_splat.synthetic.truth import TruthCollector, observation, posed, true_observation
from s3d_splat.types import ProxyGeometry, Split

Progress = Callable[[int, int], None]
_WORKERS = 2
_TEST_EVERY = 8


def write_scene(folder: Path, options: SynthOptions, progress: Progress | None = None, *, replace: bool = False) -> None:
    """Write the built-in room of `options`, as a scene folder or as a raw capture; the folder appears when it is complete.

    Args:
        progress: called with (frames done, frames in all).
        replace: an earlier room in `folder` gives way.

    Raises:
        S3DError: `folder` holds something already, the disk is full, or there is no ray caster for this machine.
    """
    if options.kind == "capture":
        with CaptureWriter(folder, replace=replace) as capture:
            _write_capture(capture, make_stage(options), options, progress)
    else:
        with SceneWriter(folder, replace=replace) as scene:
            _write_scene(scene, make_stage(options), options, progress)


def _write_scene(writer: SceneWriter, stage: Stage, options: SynthOptions, progress: Progress | None) -> None:
    labels = LabelFaults(options, stage.world.instance_class, stage.world.names)
    given_poses = faulty_poses(stage.poses, options)
    fusion, truth = ProxyFusion(stage.camera), TruthCollector(stage, options.seed)
    for index, frame in _rendered(stage, progress):
        depth, masks = faulty_depth(frame.depth, index, options), labels.apply(index, frame.instances)
        name, split = f"{index:05d}.png", split_of(index)
        writer.add_frame(name, posed(stage.camera, given_poses[index]), split, observation(frame, depth, masks))
        writer.add_truth_frame(name, posed(stage.camera, stage.poses[index]), true_observation(stage, frame))
        if split == "train":
            fusion.add(given_poses[index], depth, frame.image)
            truth.add(index, frame)
    cloud = fusion.cloud(POINTS_PER_ROOM * options.rooms, stream(options.seed, "proxy"))
    classes = class_table(stage.world)
    writer.finish(
        proxy=ProxyGeometry(torch.from_numpy(cloud.points), torch.from_numpy(cloud.colours) / 255),
        classes=classes,
        instances=labels.table(),
        truth_classes=classes,
        truth_points=truth.points(),
    )


def _write_capture(writer: CaptureWriter, stage: Stage, options: SynthOptions, progress: Progress | None) -> None:
    truth = TruthCollector(stage, options.seed)
    writer.begin(stage, options)
    for index, frame in _rendered(stage, progress):
        writer.add_frame(index, frame)
        if split_of(index) == "train":
            truth.add(index, frame)
    writer.finish(truth.points())


def split_of(index: int) -> Split:
    """Every eighth frame is a test frame, never the first."""
    return "test" if index % _TEST_EVERY == _TEST_EVERY // 2 else "train"


def _rendered(stage: Stage, progress: Progress | None) -> Iterator[tuple[int, RenderedFrame]]:
    """All frames in order; two threads work ahead (the ray caster and most of NumPy let go of Python's lock)."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        for index, frame in enumerate(pool.map(stage.renderer.render, stage.poses)):
            yield index, frame
            if progress is not None:
                progress(index + 1, len(stage.poses))
