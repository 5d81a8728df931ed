"""Masks for what carries the camera, found in the images of each camera of a capture and joined with the masks it brings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from s3d_splat.console import Advance
from s3d_splat.io.images import read_colours, read_counts, write_image
from s3d_splat.priors.ego_mask import chosen, enlarged, find_ego_mask, reduced
from s3d_splat.report.pictures import encode
from s3d_splat.types import CaptureCluster, CaptureView, Lens

log = logging.getLogger("s3d_splat")

_NAME = "ego"
_SHADE = (0.25, (230, 0, 110))  # how much of the picture shines through, and the colour over it

_Camera = tuple[Path, int, int, Lens | None]  # folder of the images, width, height, lens: whose images can be compared


@dataclass(frozen=True)
class Rig:
    """What one camera sees of its own mount."""

    mask: Path  # of the stored images, 0 = rig
    example: Path  # an image with it
    share: float  # of every image
    images: int  # that show it


@dataclass(frozen=True)
class MaskedClusters:
    """Clusters whose views know which of their pixels count."""

    clusters: tuple[CaptureCluster, ...]
    rigs: tuple[Rig, ...]


def with_ego_masks(clusters: Sequence[CaptureCluster], folder: Path, advance: Advance | None = None) -> MaskedClusters:
    """Look for the rig in the train images of every camera; where there is one, all images of that camera have a mask.

    Args:
        folder: where masks are written: `ego.png` (of a second camera `ego_2.png`), and NAME.png for images that bring one.

    Raises:
        S3DError: an image or a mask cannot be read, or a mask cannot be written.
    """
    cameras: dict[_Camera, dict[Path, CaptureView]] = {}
    for view in (view for cluster in clusters for view in cluster.views):
        camera = (view.image_path.parent, view.width, view.height, view.lens)
        cameras.setdefault(camera, {}).setdefault(view.image_path, view)
    rigs: list[Rig] = []
    masks: dict[Path, Path] = {}  # by image
    for done, views in enumerate(cameras.values()):
        rig = _rig(list(views.values()), folder / f"{_NAME}{f'_{len(rigs) + 1}' if rigs else ''}.png")
        if rig is not None:
            rigs.append(rig)
            masks |= {image: _joined(view, rig, folder) for image, view in views.items()}
        if advance is not None:
            advance(done + 1, len(cameras))
    for rig in rigs:
        log.info("%s of %d images shows what carries the camera: it is masked", f"{rig.share:.1%}", rig.images)
    masked = tuple(replace(cluster, views=tuple(_with_mask(view, masks) for view in cluster.views)) for cluster in clusters)
    return MaskedClusters(masked, tuple(rigs))


def rig_picture(rig: Rig) -> str:
    """An image with its rig painted over, as a data URI.

    Raises:
        S3DError: one of the two files cannot be read.
    """
    shine, colour = _SHADE
    image = read_colours(rig.example, where=rig.example.name)
    is_rig = ~_read(rig.mask)
    image[is_rig] = shine * image[is_rig] + (1 - shine) * np.array(colour)
    return encode(image, flat=False)


def _rig(views: Sequence[CaptureView], path: Path) -> Rig | None:
    learned = [view for view in views if view.split != "test"]
    if not learned:
        return None
    images = [learned[place].image_path for place in chosen(len(learned))]
    found = find_ego_mask(np.stack([reduced(read_colours(image, where=image.name)) for image in images]))
    if found is None:
        return None
    is_rig = enlarged(found, views[0].width, views[0].height)
    write_image(path, np.where(is_rig, 0, 255).astype(np.uint8))
    return Rig(path, images[len(images) // 2], float(is_rig.mean()), len(views))


def _joined(view: CaptureView, rig: Rig, folder: Path) -> Path:
    """The mask of the rig, or one that leaves out what the image's own mask leaves out as well."""
    if view.mask_path is None:
        return rig.mask
    path = folder / "joined" / f"{view.name}.png"
    write_image(path, np.where(_read(view.mask_path) & _read(rig.mask), 255, 0).astype(np.uint8))
    return path


def _with_mask(view: CaptureView, masks: dict[Path, Path]) -> CaptureView:
    return replace(view, mask_path=masks.get(view.image_path, view.mask_path))


def _read(path: Path) -> Bool[np.ndarray, "h w"]:
    return read_counts(path, "mask", where=path.name) > 0
