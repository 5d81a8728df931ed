"""What is true of a scene's test frames and points, and the copy of it that a run keeps beside its figures."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.point_files import read_point_labels
from s3d_splat.io.atomic import write_json
from s3d_splat.io.images import Content, check_image_file, read_counts, write_image
from s3d_splat.io.labels import read_classes
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import read_npz
from s3d_splat.io.scene import check_mask_ids, frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.metrics.overlaps import PointLabels
from s3d_splat.types import ClassInfo, Frame, Observation, Scene

Labels = Int[np.ndarray, "h w"]


@dataclass(frozen=True)
class FrameTruth:
    """True labels of one test frame, undistorted; None = nobody labelled it."""

    classes: Labels | None
    instances: Labels | None


@dataclass(frozen=True)
class WrittenTruth:
    """What `write_test_truth` left in a folder."""

    classes: tuple[ClassInfo, ...]
    has_instances: bool
    names: tuple[str, ...]  # of the frames that were written, without extension


def true_classes(scene: Scene) -> tuple[ClassInfo, ...]:
    """The class table that the truth of a scene uses: `truth/classes.json`, else that of the scene."""
    path = scene.root / "truth" / "classes.json"
    return read_classes(path) if path.exists() else scene.classes


def true_points(scene: Scene) -> tuple[Float[Tensor, "n 3"], PointLabels] | None:
    """Positions (metres) and labels of `truth/points.npz`; None where a scene has none.

    Raises:
        S3DError: the file is not as it should be.
    """
    path = scene.root / "truth" / "points.npz"
    if not path.exists():
        return None
    why, fix = "it holds the labelled points of the truth: xyz [n,3], instance [n], semantic [n]", "write the file again"
    xyz, labels = read_npz(path, ("xyz",), why=why, fix=fix)["xyz"], read_point_labels(path)
    if xyz.shape != (len(labels.instance), 3) or xyz.dtype.kind != "f" or not np.isfinite(xyz).all():
        raise S3DError(f"{path}: `xyz` is {xyz.dtype} of shape {xyz.shape}, or not finite", why=why, fix=fix)
    return torch.from_numpy(xyz), labels


def write_test_truth(scene: Scene, folder: Path) -> WrittenTruth:
    """Write the true labels of the test frames to `folder`: `semantics/`, `instances/` and `classes.json`.

    Labels come from `truth/semantics` and `truth/instances` of the scene, each where that folder is there (its images are
    free of distortion), else from the scene's own masks of the test frames. Instance masks of the scene in which no thing
    keeps its id from one test frame to another say nothing about identity: then there are no true instances. A frame that
    lacks a kind of label which other frames have is left out. Pixels that its mask leaves out are void. What the folder held
    before is removed.

    Raises:
        S3DError: a mask is missing its table, unreadable, or of another size than the camera.
    """
    if folder.exists():
        shutil.rmtree(folder)
    classes, frames = true_classes(scene), frames_of(scene, "test")
    own = not all((scene.root / "truth" / kind).is_dir() for kind in ("semantics", "instances"))
    if own:
        check_mask_ids(scene, "test")
    has_instances = _has_instances(scene, frames)
    names = []
    for frame in frames:
        truth = _frame_truth(scene, frame)
        if truth.classes is None or (has_instances and truth.instances is None):
            continue
        name = frame_name(frame.file_path)
        names.append(name)
        write_image(folder / "semantics" / f"{name}.png", truth.classes.astype(np.uint16))
        if has_instances and truth.instances is not None:
            write_image(folder / "instances" / f"{name}.png", truth.instances.astype(np.uint16))
    if names:
        write_json(folder / "classes.json", [asdict(entry) for entry in classes])
    return WrittenTruth(classes, has_instances and bool(names), tuple(names))


def _has_instances(scene: Scene, frames: tuple[Frame, ...]) -> bool:
    """Whether the test frames have true instances that mean the same object in every frame."""
    if (scene.root / "truth" / "instances").is_dir():
        return True
    things = {entry.id for entry in scene.instances if entry.is_thing}
    masks = [mask for frame in frames if (mask := load_observation(frame).instances) is not None]
    seen = Counter(label for mask in masks for label in set(mask.unique().tolist()) & things)
    return bool(masks) and (len(masks) == 1 or not seen or max(seen.values()) > 1)


def _frame_truth(scene: Scene, frame: Frame) -> FrameTruth:
    observed = load_observation(frame)
    folder = scene.root / "truth"
    classes = _read(folder, "semantics", frame) if (folder / "semantics").is_dir() else _own_classes(scene, observed)
    if (folder / "instances").is_dir():
        instances = _read(folder, "instances", frame)
    else:
        instances = None if observed.instances is None else observed.instances.numpy()
    return FrameTruth(*(_unmasked(labels, observed) for labels in (classes, instances)))


def _unmasked(labels: Labels | None, observed: Observation) -> Labels | None:
    """Labels, void where the mask of the frame leaves pixels out."""
    return labels if labels is None or observed.mask is None else labels * observed.mask.numpy()


def _read(folder: Path, kind: Content, frame: Frame) -> Labels | None:
    path = folder / kind / f"{frame_name(frame.file_path)}.png"
    if not path.exists():
        return None
    check_image_file(path, kind, frame.camera.width, frame.camera.height, where=frame.file_path)
    return read_counts(path, kind, where=frame.file_path).astype(np.int32)


def _own_classes(scene: Scene, observed: Observation) -> Labels | None:
    """The semantic mask of a frame, or what its instance mask says about classes."""
    if observed.semantics is not None:
        return observed.semantics.numpy()
    if observed.instances is None:
        return None
    class_of = np.zeros(1 + max([0, *(entry.id for entry in scene.instances)]), dtype=np.int32)
    for entry in scene.instances:
        class_of[entry.id] = entry.class_id
    return class_of[observed.instances.numpy()]
