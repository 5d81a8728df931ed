"""7-Scenes (Shotton et al., CVPR 2013): frame-000000.color.png, .depth.png, .pose.txt, in the folder itself or in seq-01/.

As published, colour and depth are those of two cameras of a Kinect side by side, and the poses are the depth camera's. The
data set gives no calibration of the colour camera; by default the depth camera has a focal length of 585 (the data set's
page, or `camera-intrinsics.txt`), the colour camera one of 525 and sits 25 mm to its right (the factory values of the
Kinect, within 1 % and 1 mm of what others have calibrated), both centred in 640x480 pixels. `calibration.json` replaces
them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.calibration import FILE, RgbdCalibration, SensorCamera, read_calibration, with_depth_camera
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.depth_registration import register_depth
from s3d_splat.io.readers.names import is_image, natural_key, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rgbd import colour_camera, convert, read_matrix
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens

_WIDTH, _HEIGHT = 640, 480  # of the sensor's images, colour and depth
_BASELINE = 0.025  # metres from the depth camera to the colour camera, along x
_DEFAULT = RgbdCalibration(
    colour=SensorCamera(525.0, 525.0, _WIDTH / 2, _HEIGHT / 2),
    depth=SensorCamera(585.0, 585.0, _WIDTH / 2, _HEIGHT / 2),
    T_colour_depth=np.array([[1.0, 0, 0, -_BASELINE], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    depth_scale=0.001,
)


class SevenScenesReader:
    """Posed RGB-D images; depth is registered into colour, and the poses become the colour camera's."""

    name = "7scenes"

    def recognises(self, folder: Path) -> bool:
        """A colour image with the text file of its pose beside it."""
        return any(_beside(image, "pose.txt").is_file() for image in _images(folder))

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order; registered depth is written to `work/depth`. All images have one size."""
        images = _images(folder)
        check_images_left(folder, [image.name for image in images])
        images = choose(images, choice, file_sharpness, advance)
        width, height = image_size(images[0], where=images[0].name)
        calibration = _calibration(folder, width, height)
        camera = colour_camera(calibration.colour, width, height, str(folder))
        names = scene_names([image.relative_to(folder).as_posix() for image in images])
        views = tuple(
            _view(image, name, width, height, calibration, camera.lens)
            for image, name in zip(images, names.values(), strict=True)
        )
        check_files((CaptureCluster(views),), advance)
        into_colour = partial(register_depth, calibration=calibration, width=width, height=height)
        clusters = (CaptureCluster(convert(views, camera.maps, into_colour, work, advance)),)
        return Capture(root=folder, format=self.name, names=tuple(names.values()), clusters=clusters)


def _images(folder: Path) -> list[Path]:
    folders = sorted(folder.glob("seq-*"), key=lambda path: natural_key(path.name))
    found = (path for place in (folder, *folders) if place.is_dir() for path in place.iterdir())
    colours = [path for path in found if is_image(path.name) and path.stem.lower().endswith(".color")]
    return sorted(colours, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def _beside(image: Path, suffix: str) -> Path:
    return image.with_name(f"{image.stem[: -len('.color')]}.{suffix}")


def _view(image: Path, name: str, width: int, height: int, calibration: RgbdCalibration, lens: Lens) -> CaptureView:
    pose_path = _beside(image, "pose.txt")
    T_world_depth = read_pose(read_matrix(pose_path, name), name, called=pose_path.name)
    return CaptureView(
        name=name,
        image_path=image,
        width=width,
        height=height,
        lens=lens,
        T_cluster_camera=torch.from_numpy(T_world_depth @ np.linalg.inv(calibration.T_colour_depth)),
        depth_path=_beside(image, "depth.png"),
        depth_scale=calibration.depth_scale,
    )


def _calibration(folder: Path, width: int, height: int) -> RgbdCalibration:
    default = None
    if (width, height) == (_WIDTH, _HEIGHT):
        path = folder / "camera-intrinsics.txt"
        default = with_depth_camera(_DEFAULT, read_matrix(path, str(folder)), str(path)) if path.exists() else _DEFAULT
    found = read_calibration(folder, default)
    if found is None:
        raise S3DError(
            f"the images of {folder} are {width}x{height}",
            why=f"the cameras of this data set are known for {_WIDTH}x{_HEIGHT}",
            fix=f"describe them in a {FILE}: colour and depth (fl_x fl_y cx cy each), and T_colour_depth",
        )
    return found
