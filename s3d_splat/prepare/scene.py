"""The scene folder of an aligned capture: one frame for every image that has a pose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.alignment.fusion import fused_depth
from s3d_splat.alignment.pixels import load_image
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.io.images import read_counts
from s3d_splat.io.labels import MAX_ID
from s3d_splat.io.scene_writer import FrameLayers, SceneWriter
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Camera, ClassInfo, InstanceInfo, Observation, ProxyGeometry

Advance = Callable[[int, int], None]
REPORT = "prepare_report.html"


@dataclass(frozen=True)
class SceneContent:
    """All that a scene folder is made of."""

    frames: tuple[WorldFrame, ...]
    proxy: ProxyGeometry
    instances: tuple[InstanceInfo, ...]
    classes: tuple[ClassInfo, ...]
    masks: Path  # folder with NAME.png for the frames that have masks
    truth: Path | None


def write_scene(folder: Path, content: SceneContent, report: str, temporary: Path, advance: Advance | None = None) -> None:
    """Write the scene folder, which appears when it is complete.

    Images without distortion are copied byte by byte, the others are undistorted. Depth is that of all sources together, in
    millimetres; semantics are the classes of the instances, where any is known.

    Args:
        report: the text of `prepare_report.html`.
        temporary: where the unfinished folder stands, on the file system of `folder`.

    Raises:
        S3DError: the folder exists, the file system refuses, or an image cannot be read.
    """
    table = _IdTable.of(content.instances)
    proxy = content.proxy
    if proxy.instances is not None:
        proxy = replace(proxy, instances=table.listed[proxy.instances.long()])
    with SceneWriter(folder, temporary=temporary) as writer:
        for index, frame in enumerate(content.frames):
            _add_frame(writer, frame, _layers(frame, content.masks, table))
            if advance is not None:
                advance(index + 1, len(content.frames))
        if content.truth is not None:
            writer.add_truth_folder(content.truth)
        writer.add_text(REPORT, report)
        writer.finish(proxy=proxy, classes=content.classes, instances=content.instances)


def _add_frame(writer: SceneWriter, frame: WorldFrame, layers: FrameLayers) -> None:
    source = frame.sources[0].frame
    if source.lens is None and _same_pixels(source.camera, frame.camera):
        writer.add_image_file(source.image_path, frame.name, frame.camera, source.split, layers)
        return
    pixels = Observation(load_image(frame), layers.depth, layers.instances, layers.semantics)
    writer.add_frame(frame.name, frame.camera, source.split, pixels)


@dataclass(frozen=True)
class _IdTable:
    """What becomes of every number in a mask. Crumbs of objects that no image really shows have no row: they are none."""

    listed: Int[Tensor, " n"]  # the id itself, 0 without a row
    classes: Int[Tensor, " n"] | None  # the class, 0: unknown; None if no class is known at all

    @staticmethod
    def of(instances: Sequence[InstanceInfo]) -> _IdTable:
        listed, classes = (torch.zeros(MAX_ID + 1, dtype=torch.int32) for _ in range(2))
        for entry in instances:
            listed[entry.id], classes[entry.id] = entry.id, entry.class_id
        return _IdTable(listed, classes if bool(classes.any()) else None)


def _layers(frame: WorldFrame, masks: Path, table: _IdTable) -> FrameLayers:
    has_depth = any(source.frame.depth_path is not None for source in frame.sources)
    depth = fused_depth(frame)[0] if has_depth else None
    path = masks / f"{frame_name(f'images/{frame.name}')}.png"
    if not path.exists():
        return FrameLayers(depth)
    ids = torch.from_numpy(read_counts(path, "instances", where=frame.name).astype("int64"))
    return FrameLayers(depth, table.listed[ids], None if table.classes is None else table.classes[ids])


def _same_pixels(one: Camera, other: Camera) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in ("fx", "fy", "cx", "cy", "width", "height"))
