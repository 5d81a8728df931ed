"""ScanNet (Dai et al., CVPR 2017), extracted: color/0.jpg, depth/0.png, pose/0.txt and intrinsic/, and the labels of 2D.

Depth lies in the pixels of its own camera, in millimetres; poses are camera to world and not finite where tracking was
lost. Principal points count pixels from the centre of the first. `instance-filt/` and `label-filt/`, where they are there,
have the size of the colours. The smaller layout of the benchmark's 25,000 frames (label/, instance/, intrinsics_color.txt)
is read too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.labels import classes_of
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.calibration import RgbdCalibration, SensorCamera
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.names import find_images, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rgbd import colour_camera, convert, depth_size, into_colour, pixel_camera, read_matrix
from s3d_splat.io.readers.scannet_labels import read_objects
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens

_LOG = logging.getLogger("s3d_splat")
_COLOUR_SIZE = (1296, 968)  # of the recordings; their intrinsics belong to it, though some extract smaller images
_DEPTH_SCALE = 0.001
_CENTRED = 0.1  # share of the image by which a principal point may lie beside its middle


class ScanNetReader:
    """Posed RGB-D images, with instance masks where they are there; frames without a pose are left out with a warning."""

    name = "scannet"

    def recognises(self, folder: Path) -> bool:
        """Folders `color`, `pose`, and intrinsics."""
        there = (folder / "color").is_dir() and (folder / "pose").is_dir()
        return there and any((folder / place).is_file() for place in _places("color"))

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order; depth as colour sees it is written to `work/depth`. All images have one size."""
        images = [folder / "color" / path for path in find_images(folder / "color")]
        check_images_left(folder, [image.name for image in images])
        posed = _posed(folder, images)
        posed = choose(posed, choice, lambda item: file_sharpness(item[0]), advance)
        check_images_left(folder, [image.name for image, _ in posed])
        width, height = image_size(posed[0][0], where=posed[0][0].name)
        calibration = _calibration(folder, width, height)
        camera = colour_camera(calibration.colour, width, height, str(folder))
        names = scene_names([image.relative_to(folder).as_posix() for image, _ in posed])
        views = tuple(
            _view(folder, image, name, pose, (width, height), calibration, camera.lens)
            for (image, pose), name in zip(posed, names.values(), strict=True)
        )
        instances = read_objects(folder, views)
        check_files((CaptureCluster(views, instances),), advance, depth_size(views))
        converted = convert(views, camera.maps, into_colour(calibration, width, height), work, advance)
        return Capture(
            root=folder,
            format=self.name,
            names=tuple(names.values()),
            clusters=(CaptureCluster(converted, instances),),
            classes=classes_of(instances, folder),
        )


def _places(camera: str) -> tuple[str, str]:
    """Where the intrinsics of the colour or depth camera may lie."""
    return f"intrinsic/intrinsic_{camera}.txt", f"intrinsics_{camera}.txt"


def _posed(folder: Path, images: Sequence[Path]) -> list[tuple[Path, Float[np.ndarray, "_ _"]]]:
    """The images that have a pose, with it (not yet checked)."""
    posed = []
    for image in images:
        path = folder / "pose" / f"{image.stem}.txt"
        if path.is_file() and np.isfinite(pose := read_matrix(path, image.name)).all():
            posed.append((image, pose))
    if posed and len(posed) < len(images):
        gone = len(images) - len(posed)
        _LOG.warning("%d of %d images are left out: they have no pose, tracking was lost there.", gone, len(images))
    return posed


def _calibration(folder: Path, width: int, height: int) -> RgbdCalibration:
    """Both cameras; they stand in one place unless the extrinsics say otherwise, which they do not in what is published."""
    colour = _intrinsics(folder, "color")
    transform = np.linalg.inv(_extrinsics(folder, "color")) @ _extrinsics(folder, "depth")
    has_depth = any((folder / place).is_file() for place in _places("depth"))
    fitted = _fitted(colour, width, height, folder)
    return RgbdCalibration(fitted, _intrinsics(folder, "depth") if has_depth else fitted, transform, _DEPTH_SCALE)


def _intrinsics(folder: Path, camera: str) -> SensorCamera:
    path = next(folder / place for place in _places(camera) if (folder / place).is_file())
    return pixel_camera(read_matrix(path, str(folder)), str(path))


def _extrinsics(folder: Path, camera: str) -> Float[np.ndarray, "4 4"]:
    path = folder / "intrinsic" / f"extrinsic_{camera}.txt"
    return read_pose(read_matrix(path, str(folder)), str(folder), called=path.name) if path.is_file() else np.eye(4)


def _fitted(camera: SensorCamera, width: int, height: int, folder: Path) -> SensorCamera:
    """The camera for images of this size, where the intrinsics are those of the full size of the recordings.

    Raises:
        S3DError: they belong to neither.
    """
    if _is_centred(camera, width, height):
        return camera
    across, down = width / _COLOUR_SIZE[0], height / _COLOUR_SIZE[1]
    smaller = SensorCamera(camera.fx * across, camera.fy * down, camera.cx * across, camera.cy * down)
    if not _is_centred(smaller, width, height):
        raise S3DError(
            f"{folder}: the intrinsics of colour do not belong to images of {width}x{height}",
            why=f"their principal point is {camera.cx:.1f}, {camera.cy:.1f}",
            fix="write those of the images that are there, or extract the images in their full size",
        )
    full = "x".join(str(side) for side in _COLOUR_SIZE)
    _LOG.warning("The intrinsics of colour are taken as those of %s images and scaled to %dx%d.", full, width, height)
    return smaller


def _is_centred(camera: SensorCamera, width: int, height: int) -> bool:
    return abs(camera.cx / width - 0.5) < _CENTRED and abs(camera.cy / height - 0.5) < _CENTRED


def _view(
    folder: Path,
    image: Path,
    name: str,
    pose: Float[np.ndarray, "_ _"],
    size: tuple[int, int],
    calibration: RgbdCalibration,
    lens: Lens,
) -> CaptureView:
    depth = folder / "depth" / f"{image.stem}.png"
    masks = (folder / place / f"{image.stem}.png" for place in ("instance-filt", "instance"))
    T_world_depth = read_pose(pose, name, called=f"pose/{image.stem}.txt")
    return CaptureView(
        name=name,
        image_path=image,
        width=size[0],
        height=size[1],
        lens=lens,
        T_cluster_camera=torch.from_numpy(T_world_depth @ np.linalg.inv(calibration.T_colour_depth)),
        depth_path=depth if depth.is_file() else None,
        depth_scale=calibration.depth_scale,
        instance_path=next((mask for mask in masks if mask.is_file()), None),
    )
