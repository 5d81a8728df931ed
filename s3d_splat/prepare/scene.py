"""The scene folder of an aligned capture: one frame for every image that has a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.alignment.fusion import fused_depth
from s3d_splat.alignment.pixels import load_image, load_mask
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.console import Advance
from s3d_splat.io.images import read_counts
from s3d_splat.io.labels import MAX_ID
from s3d_splat.io.scene_writer import FrameLayers, SceneWriter
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Camera, ClassInfo, InstanceInfo, ProxyGeometry

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
    rigs: tuple[Path, ...] = ()  # masks that many images share


def write_scene(folder: Path, content: SceneContent, report: str, temporary: Path, advance: Advance | None = None) -> None:
    """Write the scene folder, which appears when it is complete.

    Images without distortion are copied byte by byte, the others are undistorted, or written as what their names say. Depth
    is that of all sources together, in millimetres; semantics are the classes of the instances, where any is known. Where
    one image has a mask, all have one: other methods want it so.

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
    masks = _Masks(content.rigs, content.frames)
    with SceneWriter(folder, temporary=temporary) as writer:
        for index, frame in enumerate(content.frames):
            _add_frame(writer, frame, masks.over(frame, _layers(frame, content.masks, table)))
            if advance is not None:
                advance(index + 1, len(content.frames))
        if content.truth is not None:
            writer.add_truth_folder(content.truth)
        writer.add_text(REPORT, report)
        writer.finish(proxy=proxy, classes=content.classes, instances=content.instances)


def _add_frame(writer: SceneWriter, frame: WorldFrame, layers: FrameLayers) -> None:
    source = frame.sources[0].frame
    same_type = source.image_path.suffix == Path(frame.name).suffix  # a reader that undistorts writes PNG
    if same_type and source.lens is None and _same_pixels(source.camera, frame.camera):
        writer.add_image_file(source.image_path, frame.name, frame.camera, source.split, layers)
        return
    writer.add_image(frame.name, frame.camera, source.split, load_image(frame), layers)


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


class _Masks:
    """Which pixels of a frame count, under names that frames with the same pixels share."""

    def __init__(self, rigs: Sequence[Path], frames: Sequence[WorldFrame]) -> None:
        self._rigs = rigs
        self._wanted = any(source.frame.mask_path for frame in frames for source in frame.sources)
        self._taken = {frame_name(f"images/{frame.name}") for frame in frames}
        self._names: dict[object, str] = {}  # by what the mask is made from

    def over(self, frame: WorldFrame, layers: FrameLayers) -> FrameLayers:
        """The layers with the mask, and without ids under it."""
        if not self._wanted:
            return layers
        mask = load_mask(frame)
        if mask is None:
            size = frame.camera.height, frame.camera.width
            everything = torch.ones(size, dtype=torch.bool)
            return replace(layers, mask=everything, mask_name=self._name(("all", size), "all"))
        ids, classes = (None if ids is None else ids * mask for ids in (layers.instances, layers.semantics))
        return replace(layers, instances=ids, semantics=classes, mask=mask, mask_name=self._shared(frame))

    def _shared(self, frame: WorldFrame) -> str | None:
        """The name of a rig's mask as the camera of the frame sees it; None for a mask of the frame's own."""
        paths = {source.frame.mask_path for source in frame.sources}
        path = next(iter(paths))
        if len(paths) > 1 or path is None or path not in self._rigs:
            return None
        behind = frozenset((source.frame.lens, _intrinsics(source.frame.camera)) for source in frame.sources)
        return self._name((path, behind, _intrinsics(frame.camera)), path.stem)

    def _name(self, key: object, stem: str) -> str:
        taken = self._taken | set(self._names.values())
        free = next(name for name in (stem, *(f"{stem}_{n}" for n in range(2, len(taken) + 3))) if name not in taken)
        return self._names.setdefault(key, free)


def _layers(frame: WorldFrame, masks: Path, table: _IdTable) -> FrameLayers:
    has_depth = any(source.frame.depth_path is not None for source in frame.sources)
    depth = fused_depth(frame)[0] if has_depth else None
    path = masks / f"{frame_name(f'images/{frame.name}')}.png"
    if not path.exists():
        return FrameLayers(depth)
    ids = torch.from_numpy(read_counts(path, "instances", where=frame.name).astype("int64"))
    return FrameLayers(depth, table.listed[ids], None if table.classes is None else table.classes[ids])


def _same_pixels(one: Camera, other: Camera) -> bool:
    return _intrinsics(one) == _intrinsics(other)


def _intrinsics(camera: Camera) -> tuple[float | int, ...]:
    return camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height
