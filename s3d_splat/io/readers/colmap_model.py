"""What pycolmap reads, as views; importing this needs pycolmap."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image  # noqa: F401 before pycolmap, which brings a zlib that Pillow must not bind to: writing a PNG would crash
import pycolmap
import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, write_image
from s3d_splat.io.intrinsics import checked_camera
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.colmap_binary import check_binary_model
from s3d_splat.io.readers.conversions import run_all
from s3d_splat.io.readers.names import in_order, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.transforms import inside
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens, ProxyGeometry

_LOG = logging.getLogger("s3d_splat")
# Models that k1 k2 p1 p2 describe exactly, and how many focal lengths precede the principal point and these parameters.
_FOCAL_LENGTHS = {"SIMPLE_PINHOLE": 1, "PINHOLE": 2, "SIMPLE_RADIAL": 1, "RADIAL": 1, "OPENCV": 2}


def read_colmap_model(
    folder: Path,
    place: Path,
    work: Path,
    advance: Advance | None,
    choice: FrameChoice = EVERY,
    images: str = "images",
) -> Capture:
    """The model in `place`, whose images lie in the folder `images` below `folder`.

    Raises:
        S3DError: the model cannot be read, has no images that are there, or a camera that cannot be undistorted.
    """
    model = read_model(place)
    pictures = _pictures(folder, images, model)
    names = scene_names(choose(list(pictures), choice, lambda path: file_sharpness(folder / path), advance))
    stored, final = [], []
    jobs: list[Callable[[], None]] = []
    for path, name in names.items():
        picture = pictures[path]
        camera = model.cameras[picture.camera_id]
        view = model_view(folder / path, name, picture, camera)
        stored.append(view)
        if view.lens is None:
            view = _undistorted(view, camera, work)
            jobs.append(partial(_undistort, stored[-1], view, camera))
        final.append(view)
    check_files((CaptureCluster(tuple(stored)),), advance)
    run_all(jobs, advance)
    return Capture(
        root=folder,
        format="colmap",
        names=tuple(view.name for view in final),
        clusters=(CaptureCluster(tuple(final)),),
        points=model_points(model),
    )


def read_model(place: Path) -> pycolmap.Reconstruction:
    """The model in a folder, text or binary.

    Raises:
        S3DError: it cannot be read.
    """
    if (place / "cameras.bin").is_file():
        check_binary_model(place)
    try:
        return pycolmap.Reconstruction(str(place))
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise S3DError(f"the COLMAP model in {place} cannot be read", why=str(error), fix="export it again") from error


def _pictures(folder: Path, images: str, model: pycolmap.Reconstruction) -> dict[str, pycolmap.Image]:
    """The posed images whose files are there, by their path in the folder, in natural order."""
    posed = {f"{images}/{picture.name}": picture for picture in model.images.values() if picture.has_pose}
    there = [path for path in in_order(posed) if inside(folder, path, f"{folder}: image").is_file()]
    check_images_left(folder, there)
    if len(there) < len(posed):
        first = min(posed.keys() - set(there))
        gone = len(posed) - len(there)
        _LOG.warning("%d of %d images are left out: their files are missing, such as %s", gone, len(posed), first)
    return {path: posed[path] for path in there}


def model_view(image: Path, name: str, picture: pycolmap.Image, camera: pycolmap.Camera) -> CaptureView:
    """The view of a stored image; without a lens if k1 k2 p1 p2 do not describe it."""
    return CaptureView(
        name=name,
        image_path=image,
        width=int(camera.width),
        height=int(camera.height),
        lens=_lens(camera, name),
        T_cluster_camera=model_pose(picture, name),
    )


def model_pose(picture: pycolmap.Image, name: str) -> Float[Tensor, "4 4"]:
    """Camera to world of an image of the model. Raises S3DError if it is no rigid motion."""
    return torch.from_numpy(read_pose(picture.cam_from_world().inverse().matrix(), name, called="in the model"))


def _lens(camera: pycolmap.Camera, where: str) -> Lens | None:
    focal_lengths = _FOCAL_LENGTHS.get(camera.model_name)
    if focal_lengths is None:
        return None
    distortion = [float(value) for value in camera.params[focal_lengths + 2 :]]
    lens = Lens(
        float(camera.focal_length_x),
        float(camera.focal_length_y),
        float(camera.principal_point_x),
        float(camera.principal_point_y),
        *(distortion + [0.0] * (4 - len(distortion))),
    )
    return checked_camera(lens, int(camera.width), int(camera.height), where).lens


def _undistorted(view: CaptureView, camera: pycolmap.Camera, work: Path) -> CaptureView:
    """The view as `_undistort` will write it."""
    try:
        pinhole = pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), camera)
    except (RuntimeError, ValueError) as error:
        raise S3DError(
            f"{view.name}: images of camera model {camera.model_name} cannot be undistorted",
            why=str(error),
            fix="turn them into images of a pinhole camera first",
        ) from error
    path = work / "images" / f"{Path(view.name).stem}.png"
    lens = _lens(pinhole, view.name)
    return replace(view, lens=lens, width=int(pinhole.width), height=int(pinhole.height), image_path=path)


def _undistort(source: CaptureView, target: CaptureView, camera: pycolmap.Camera) -> None:
    if target.image_path.exists():
        return
    bitmap = pycolmap.Bitmap.from_array(read_colours(source.image_path, where=source.name))
    image, _ = pycolmap.undistort_image(pycolmap.UndistortCameraOptions(), bitmap, camera)
    write_image(target.image_path, np.asarray(image.to_array(), dtype=np.uint8))


def model_points(model: pycolmap.Reconstruction) -> ProxyGeometry | None:
    """The points that are finite; None if there are none."""
    points = list(model.points3D.values())
    places = np.array([point.xyz for point in points], dtype=np.float32).reshape(-1, 3)
    colours = np.array([point.color for point in points], dtype=np.float32).reshape(-1, 3) / 255
    finite = np.isfinite(places).all(axis=1)
    if not finite.any():
        return None
    return ProxyGeometry(torch.from_numpy(places[finite]), torch.from_numpy(colours[finite]))
