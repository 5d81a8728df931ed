"""Reading a scene folder: everything is checked before anything long starts.

All headers are read and all files are decoded once. Masks of train frames must hold ids of the tables alone. What the masks
of test frames hold is not judged here, since training never reads them; evaluation calls `check_mask_ids` for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from s3d_splat.errors import S3DError
from s3d_splat.io.images import Content, check_image_body, check_image_file, check_mask_body, read_counts
from s3d_splat.io.labels import MAX_ID, check_classes, classes_of, read_classes, read_instances
from s3d_splat.io.ply import read_proxy
from s3d_splat.io.transforms import frame_label, read_transforms
from s3d_splat.types import ClassInfo, Frame, InstanceInfo, Scene, Split

_READERS = 4  # decoding releases Python's lock


def load_scene(folder: Path) -> Scene:
    """Read and check a scene folder.

    Without `classes.json` the classes are those that `instances.json` names. A frame may have no depth and no masks (then it
    trains appearance alone; `frames_without_masks` counts them), but a file that is named must be there and fit its camera.

    Raises:
        S3DError: anything is missing, damaged or inconsistent; the message names frame and file.
    """
    if not folder.is_dir():
        raise S3DError(f"{folder} is no folder", why="a scene is a folder", fix="name a folder with a transforms.json")
    transforms = read_transforms(folder)
    frames = transforms.frames
    _check_all_there(frames)
    _for_all(frames, _check_headers)
    classes, instances = _read_tables(folder, frames)
    proxy = read_proxy(transforms.proxy_path)
    scene = Scene(folder, frames, proxy, classes, instances)
    _for_all(frames, _check_bodies)
    check_mask_ids(scene, "train")
    return scene


def frames_of(scene: Scene, split: Split) -> tuple[Frame, ...]:
    """The frames of one split, in the order of the scene."""
    return tuple(frame for frame in scene.frames if frame.split == split)


def frames_without_masks(scene: Scene, split: Split = "train") -> int:
    """How many frames of a split have no instance mask."""
    return sum(frame.instance_path is None for frame in frames_of(scene, split))


def check_mask_ids(scene: Scene, split: Split) -> None:
    """Check that the masks of a split hold only ids of `scene.instances` and `scene.classes` (and 0).

    Raises:
        S3DError: an id is not in its table.
    """
    known_instances = _known_ids([entry.id for entry in scene.instances])
    known_classes = _known_ids([entry.id for entry in scene.classes])

    def check(index: int, frame: Frame) -> None:
        if frame.split != split:
            return
        _check_ids(index, frame, "instances", known_instances, "instances.json")
        _check_ids(index, frame, "semantics", known_classes, "classes.json")

    _for_all(scene.frames, check)


def files_of(frame: Frame) -> dict[Content, Path]:
    """The files that a frame names, by what they hold."""
    named: dict[Content, Path | None] = {
        "image": frame.image_path,
        "depth": frame.depth_path,
        "instances": frame.instance_path,
        "semantics": frame.semantic_path,
        "mask": frame.mask_path,
    }
    return {content: path for content, path in named.items() if path is not None}


def _check_all_there(frames: Sequence[Frame]) -> None:
    missing = [
        (index, frame, content, path)
        for index, frame in enumerate(frames)
        for content, path in files_of(frame).items()
        if not path.is_file()
    ]
    if missing:
        index, frame, content, path = missing[0]
        more = f" (nor do {len(missing) - 1} other files that it names)" if len(missing) > 1 else ""
        raise S3DError(
            f"{frame_label(index, frame.file_path)}: {path} does not exist{more}",
            why=f"transforms.json names it as the {content} of the frame",
            fix="add the file, or take its name (or the whole frame) out of transforms.json",
        )


def _for_all(frames: Sequence[Frame], check: Callable[[int, Frame], None]) -> None:
    """Run `check` for every frame; the first frame that fails is the one the user hears of."""
    with ThreadPoolExecutor(_READERS) as readers:
        for _ in readers.map(check, range(len(frames)), frames):
            pass


def _check_headers(index: int, frame: Frame) -> None:
    where = frame_label(index, frame.file_path)
    for content, path in files_of(frame).items():
        check_image_file(path, content, frame.camera.width, frame.camera.height, where=where)


def _check_bodies(index: int, frame: Frame) -> None:
    where = frame_label(index, frame.file_path)
    for content, path in files_of(frame).items():
        if content == "mask":
            check_mask_body(path, where=where)
        elif content in ("image", "depth") or frame.split == "test":  # labels of train frames are decoded for their ids
            check_image_body(path, content, where=where)


def _read_tables(folder: Path, frames: Sequence[Frame]) -> tuple[tuple[ClassInfo, ...], tuple[InstanceInfo, ...]]:
    instances_path, classes_path = folder / "instances.json", folder / "classes.json"
    masked = any(frame.instance_path is not None for frame in frames)
    instances = read_instances(instances_path) if masked or instances_path.exists() else ()
    if not classes_path.exists() and (instances or all(frame.semantic_path is None for frame in frames)):
        return classes_of(instances, instances_path), instances
    classes = read_classes(classes_path)
    check_classes(instances, classes, instances_path)
    return classes, instances


def _known_ids(ids: Sequence[int]) -> np.ndarray:
    known = np.zeros(MAX_ID + 1, dtype=bool)
    known[[0, *ids]] = True
    return known


def _check_ids(index: int, frame: Frame, content: Content, known: np.ndarray, table: str) -> None:
    path = files_of(frame).get(content)
    if path is None:
        return
    where = frame_label(index, frame.file_path)
    pixels = read_counts(path, content, where=where)
    unknown = pixels[~known[pixels]]
    if unknown.size:
        raise S3DError(
            f"{where}: {path} holds id {int(unknown[0])}, which {table} lacks ({unknown.size} such pixels)",
            why="an id without a row in the table has no meaning",
            fix=f"add the id to {table}, or set these pixels to 0 (unlabelled)",
        )
