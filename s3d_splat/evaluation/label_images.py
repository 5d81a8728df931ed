"""Panoptic label images in two folders (`instances/` and `semantics/`): strict reading, one image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.images import Content, check_image_file, read_counts
from s3d_splat.io.labels import read_classes
from s3d_splat.metrics.panoptic import classes_of_labels
from s3d_splat.types import ClassInfo

Labels = Int[np.ndarray, "h w"]
KINDS: tuple[Content, Content] = ("semantics", "instances")


@dataclass(frozen=True)
class LabelledImage:
    """One image of a prediction with its truth; int32, 0 = none."""

    name: str  # without extension
    pred_classes: Labels
    pred_instances: Labels
    true_classes: Labels
    true_instances: Labels

    @property
    def labels(self) -> tuple[Labels, Labels, Labels, Labels]:
        """The four images in the order in which the accumulators take them."""
        return self.pred_classes, self.pred_instances, self.true_classes, self.true_instances


def holds_labels(folder: Path) -> bool:
    """Whether a folder is one scene's, rather than one of several scenes."""
    return any((folder / kind).is_dir() for kind in KINDS)


def image_names(prediction: Path, truth: Path) -> list[str]:
    """Names (without extension) of the images of the truth; further images of the prediction are not read.

    Raises:
        S3DError: a folder is missing, there is no image, or an image lacks its counterpart.
    """
    for folder in (prediction, truth):
        for kind in KINDS:
            if not (folder / kind).is_dir():
                raise S3DError(
                    f"{folder} has no folder {kind}/",
                    why="panoptic labels are two folders of 16-bit PNGs, semantics/ and instances/",
                    fix="name the folder that holds both, such as RUN/renders/test or RUN/eval/truth",
                )
    classes, instances = ({path.stem for path in (truth / kind).glob("*.png")} for kind in KINDS)
    if not classes and not instances:
        raise S3DError(f"{truth} holds no PNG", why="there is nothing to compare with", fix="name the right folder")
    _refuse_missing(truth, "semantics", instances - classes)
    _refuse_missing(truth, "instances", classes - instances)
    for kind in KINDS:
        _refuse_missing(prediction, kind, {name for name in classes if not (prediction / kind / f"{name}.png").is_file()})
    return sorted(classes)


def labelled_images(prediction: Path, truth: Path) -> Iterator[LabelledImage]:
    """Read all images of the truth with their predictions, in the order of their names.

    Raises:
        S3DError: as `image_names`; or an image is unreadable, of another type, or of another size than the truth's.
    """
    for name in image_names(prediction, truth):
        size = read_size(truth / "semantics" / f"{name}.png")
        images = [read_labels(folder / kind / f"{name}.png", kind, size) for folder in (prediction, truth) for kind in KINDS]
        yield LabelledImage(name, *images)


def shared_names(prediction: Path, truth: Path, kind: Content, names: list[str] | None = None) -> list[str]:
    """Names (without extension) of the images of one kind in the truth, unless given; the prediction has them all.

    Raises:
        S3DError: a folder is missing, there is no image, or an image lacks its counterpart.
    """
    for folder in (prediction, truth):
        if not (folder / kind).is_dir():
            raise S3DError(
                f"{folder} has no folder {kind}/", why="16-bit PNGs are read from it", fix="name the folder above it"
            )
    wanted = sorted(path.stem for path in (truth / kind).glob("*.png")) if names is None else names
    if not wanted:
        raise S3DError(f"{truth} holds no PNG", why="there is nothing to compare with", fix="name the right folder")
    _refuse_missing(prediction, kind, {name for name in wanted if not (prediction / kind / f"{name}.png").is_file()})
    return wanted


def classes_of_folders(prediction: Path, truth: Path, parent: Path | None = None) -> tuple[ClassInfo, ...]:
    """The classes of `classes.json` in the truth, else in the folder of all scenes; without it, those of the images.

    Without the table a class is a thing if a true pixel of it has an instance.

    Raises:
        S3DError: the table or an image cannot be read.
    """
    for folder in (truth, truth if parent is None else parent):
        if (folder / "classes.json").exists():
            return read_classes(folder / "classes.json")
    images = labelled_images(prediction, truth)
    return classes_of_labels((image.pred_classes, image.true_classes, image.true_instances) for image in images)


def _refuse_missing(folder: Path, kind: str, names: set[str]) -> None:
    if names:
        raise S3DError(
            f"{folder / kind} lacks {min(names)}.png ({len(names)} images are missing)",
            why="every image of the truth is compared, and needs classes and instances on both sides",
            fix="write the missing images (0 everywhere = nothing labelled), or take them out of the truth",
        )


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of an image.

    Raises:
        S3DError: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise S3DError(f"{path} cannot be read", why=str(error), fix="write the file again") from error


def read_labels(path: Path, kind: Content, size: tuple[int, int]) -> Labels:
    """Read labels of the size that the truth has (width, height).

    Raises:
        S3DError: unreadable, of another type or size.
    """
    own = read_size(path)
    if own != size:
        raise S3DError(
            f"{path} is {own[0]}x{own[1]}, but its truth is {size[0]}x{size[1]}",
            why="labels are compared pixel by pixel",
            fix="write both in the same size (labels are resized by the nearest pixel, never by averaging)",
        )
    check_image_file(path, kind, *size, where=path.name)
    return read_counts(path, kind, where=path.name).astype(np.int32)
