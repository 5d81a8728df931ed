"""Panoptic labels of views in the format of COCO's panoptic task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.evaluation.truth import true_classes, write_test_truth
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.objects import owners
from s3d_splat.export.options import ExportOptions
from s3d_splat.io.atomic import write_json
from s3d_splat.io.images import read_counts, write_image
from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.panoptic.palette import instance_colours
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.types import ClassInfo, Frame

Labels = Int[np.ndarray, "h w"]
_NAMELESS = ClassInfo(1, "object", True)  # of all objects of a scene without classes
_MOVES = 104_729  # a prime: how far a colour moves that another segment has already


@dataclass(frozen=True)
class _View:
    frame: Frame
    classes: Labels
    instances: Labels


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `coco-panoptic`: `panoptic.json` and `panoptic/NAME.png` for each view.

    A segment is an object, or all of a stuff class, in one view. It has the same id (R + 256 G + 65536 B, the colour of its
    pixels) in every view; `instance_id` beside the category is the object of the run. Pixels 0 are void.
    """
    frames = frames_of(trained.scene, options.split)
    if not frames:
        raise S3DError(
            f"{trained.scene.root} has no {options.split} frame",
            why="the views of these frames are written",
            fix="give --split train" if options.split == "test" else "give --split test",
        )
    classes = true_classes(trained.scene) if options.truth else trained.scene.classes or (_NAMELESS,)
    views = _true_views(trained, options) if options.truth else _rendered_views(trained, frames)
    writer = _Writer(classes, out)
    for done, view in enumerate(views):
        writer.add(view)
        advance(done + 1, len(frames))
    write_json(out / "panoptic.json", writer.as_dict())
    return {"views": len(writer.images), "segments": writer.segments, "notes": writer.notes()}


def _rendered_views(trained: TrainedScene, frames: tuple[Frame, ...]) -> Iterator[_View]:
    child = owners(trained)
    for frame in frames:
        gaussians = trained.decode(frame.camera)
        shown = render_panoptic(gaussians, child, trained.instances, trained.rasterizer, frame.camera)
        classes, instances = shown.semantics.cpu().numpy(), shown.instances.cpu().numpy()
        if not trained.scene.classes:
            classes = np.where(instances > 0, _NAMELESS.id, 0).astype(np.int32)
        yield _View(frame, classes, instances)


def _true_views(trained: TrainedScene, options: ExportOptions) -> Iterator[_View]:
    """The true labels of the test views, as the evaluation of a run has them."""
    if options.split != "test":
        raise S3DError("--truth was given with --split train", why="truth is that of test views", fix="leave --split away")
    with TemporaryDirectory() as folder:
        written = write_test_truth(trained.scene, Path(folder) / "truth")
        if not written.has_instances:
            raise S3DError(
                f"{trained.scene.root} has no true instances of its test frames",
                why="they are in truth/instances and truth/semantics, or in masks whose ids mean one object in all frames",
                fix="leave --truth away",
            )
        for frame in frames_of(trained.scene, "test"):
            if frame_name(frame.file_path) in written.names:
                yield _read_view(Path(folder) / "truth", frame)


def _read_view(folder: Path, frame: Frame) -> _View:
    name = frame_name(frame.file_path)
    classes, instances = (
        read_counts(folder / kind / f"{name}.png", kind, where=name).astype(np.int32) for kind in ("semantics", "instances")
    )
    return _View(frame, classes, instances)


class _Writer:
    """Writes images and collects what the JSON says of them."""

    def __init__(self, classes: tuple[ClassInfo, ...], out: Path) -> None:
        self.classes = {entry.id: entry for entry in classes}
        self.out = out
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.segments = self.nameless = 0
        self._colour_of: dict[tuple[int, int], int] = {}

    def add(self, view: _View) -> None:
        """A view: its image, and the segments that it shows."""
        name, number = frame_name(view.frame.file_path), len(self.images) + 1
        height, width = view.classes.shape
        listed = np.isin(view.classes, list(self.classes))
        stuff = np.isin(view.classes, [id for id, entry in self.classes.items() if not entry.is_thing])
        codes = np.where(listed, view.classes.astype(np.int64) << 32 | np.where(stuff, 0, view.instances), 0)
        self.nameless += int(((view.instances > 0) & ~listed).sum())
        pixels = np.zeros((height, width), np.int64)
        rows = []
        for code in np.unique(codes[codes > 0]).tolist():
            mask = codes == code
            row = self._segment(code >> 32, code & 0xFFFFFFFF, mask)
            pixels[mask] = row["id"]
            rows.append(row)
        rgb = np.stack((pixels & 255, pixels >> 8 & 255, pixels >> 16), axis=-1).astype(np.uint8)
        write_image(self.out / "panoptic" / f"{name}.png", rgb)
        file_name = view.frame.file_path.removeprefix("images/")
        self.images.append({"id": number, "file_name": file_name, "width": width, "height": height})
        self.annotations.append({"image_id": number, "file_name": f"{name}.png", "segments_info": rows})
        self.segments += len(rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        categories = [
            {"id": entry.id, "name": entry.name, "supercategory": entry.name, "isthing": int(entry.is_thing)}
            for entry in self.classes.values()
        ]
        return {"images": self.images, "annotations": self.annotations, "categories": categories}

    def notes(self) -> list[str]:
        """What the format could not hold."""
        if not self.nameless:
            return []
        return [f"{self.nameless} pixels of objects without a class are void: COCO has no segment without a category"]

    def _segment(self, class_id: int, instance: int, mask: np.ndarray) -> dict[str, Any]:
        is_thing = self.classes[class_id].is_thing
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        left, top = int(columns[0]), int(rows[0])
        row = {
            "id": self._colour(class_id, instance),
            "category_id": class_id,
            "area": int(mask.sum()),
            "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
            "iscrowd": int(is_thing and instance == 0),  # things that nobody told apart
        }
        return row | ({"instance_id": instance} if instance else {})

    def _colour(self, class_id: int, instance: int) -> int:
        """The id of a segment: the colour of the instance, or one near it that no other segment has."""
        key = (class_id, instance)
        if key not in self._colour_of:
            red, green, blue = instance_colours(torch.tensor([instance or 7919 * class_id]))[0].tolist()
            code, taken = red + 256 * green + 65536 * blue, set(self._colour_of.values())
            while code in taken or code == 0:
                code = (code + _MOVES) % (1 << 24)
            self._colour_of[key] = code
        return self._colour_of[key]
