"""TUM RGB-D (Sturm et al., IROS 2012): rgb.txt, depth.txt and groundtruth.txt, each line led by a time stamp in seconds.

Depth lies in the pixels of colour already, 5000 counts a metre, and the poses are the colour camera's. The cameras are
those that the data set publishes for freiburg1, freiburg2 and freiburg3, known by the folder's name; `calibration.json`
replaces them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.io.images import image_size
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.calibration import FILE, RgbdCalibration, SensorCamera, read_calibration
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.names import scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rgbd import colour_camera, convert
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.transforms import inside
from s3d_splat.types import Capture, CaptureCluster, CaptureView

_LOG = logging.getLogger("s3d_splat")
_APART = 0.02  # seconds between an image and the depth or pose that belongs to it
_DEPTH_SCALE = 1 / 5000
# Colour cameras as published (vision.in.tum.de/data/datasets/rgbd-dataset/file_formats), whose pixel centres are at 0.
_PUBLISHED = {
    "freiburg1": SensorCamera(517.3, 516.5, 319.1, 255.8, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": SensorCamera(520.9, 521.0, 325.6, 250.2, (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": SensorCamera(535.4, 539.2, 320.6, 248.1),
}


@dataclass(frozen=True)
class _Listing:
    """A text file with a time stamp in every line."""

    times: Float[np.ndarray, " n"]  # seconds, ascending
    rows: list[list[str]]  # what follows the time


@dataclass(frozen=True)
class _Pair:
    """An image and what belongs to it."""

    image: str  # below the folder, as `depth`
    depth: str | None
    pose: list[str]


class TumReader:
    """Posed RGB-D images; images without a pose near enough in time are left out with a warning."""

    name = "tum"

    def recognises(self, folder: Path) -> bool:
        """The lists of images and poses are there."""
        return (folder / "rgb.txt").is_file() and (folder / "groundtruth.txt").is_file()

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in the order of time; undistorted ones (freiburg1, freiburg2) are written below `work`."""
        calibration = _calibration(folder)
        pairs = _associated(folder)
        check_images_left(folder, [pair.image for pair in pairs])
        pairs = choose(pairs, choice, lambda pair: file_sharpness(folder / pair.image), advance)
        names = scene_names([pair.image for pair in pairs])
        width, height = image_size(folder / pairs[0].image, where=pairs[0].image)
        camera = colour_camera(calibration.colour, width, height, str(folder))
        views = tuple(
            CaptureView(
                name=names[pair.image],
                image_path=folder / pair.image,
                width=width,
                height=height,
                lens=camera.lens,
                T_cluster_camera=_pose(pair.pose, folder / "groundtruth.txt"),
                depth_path=None if pair.depth is None else folder / pair.depth,
                depth_scale=calibration.depth_scale,
            )
            for pair in pairs
        )
        check_files((CaptureCluster(views),), advance)
        clusters = (CaptureCluster(convert(views, camera.maps, None, work, advance)),)
        return Capture(root=folder, format=self.name, names=tuple(view.name for view in views), clusters=clusters)


def _associated(folder: Path) -> list[_Pair]:
    """The images that have a pose, in the order of time, with their depth where there is one."""
    colours, poses = _read_listing(folder / "rgb.txt", 1), _read_listing(folder / "groundtruth.txt", 7)
    depths = _read_listing(folder / "depth.txt", 1) if (folder / "depth.txt").exists() else _Listing(np.empty(0), [])
    pose_of, depth_of = _nearest(colours.times, poses.times), _mutual(colours.times, depths.times)
    pairs = [
        _Pair(
            image=_file(row, folder / "rgb.txt"),
            depth=None if depth < 0 else _file(depths.rows[depth], folder / "depth.txt"),
            pose=poses.rows[pose],
        )
        for row, pose, depth in zip(colours.rows, pose_of.tolist(), depth_of.tolist(), strict=True)
        if pose >= 0
    ]
    gone = len(colours.rows) - len(pairs)
    if gone:
        _LOG.warning("%d of %d images are left out: no pose within %g ms.", gone, len(colours.rows), 1000 * _APART)
    return pairs


def _file(row: Sequence[str], listing: Path) -> str:
    """The file that a row names, below the folder of its listing."""
    return inside(Path(), row[0], str(listing)).as_posix()


def _calibration(folder: Path) -> RgbdCalibration:
    known = [camera for name, camera in _PUBLISHED.items() if name in folder.resolve().name.lower()]
    default = RgbdCalibration(known[0], known[0], np.eye(4), _DEPTH_SCALE) if known else None
    found = read_calibration(folder, default)
    if found is None:
        raise S3DError(
            f"the camera of {folder} is not known",
            why=f"the name of the folder says none of {', '.join(_PUBLISHED)}",
            fix=f'write {FILE} into it, {{"colour": {{"fl_x", "fl_y", "cx", "cy"}}, "depth_scale": 0.0002}}',
        )
    return found


def _read_listing(path: Path, columns: int) -> _Listing:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise S3DError(f"{path} cannot be read", why=str(error), fix="copy the sequence again") from error
    split = (line.replace(",", " ").split() for line in lines if not line.lstrip().startswith("#"))
    rows = [row for row in split if row]
    try:
        times = np.array([float(row[0]) for row in rows])
        ordered = np.argsort(times, kind="stable")
        if any(len(row) <= columns for row in rows) or not np.isfinite(times).all():
            raise ValueError(f"a line lacks its time or one of its {columns} values")
    except ValueError as error:
        raise S3DError(f"{path} is malformed", why=str(error), fix="copy the sequence again") from error
    return _Listing(times[ordered], [rows[index][1:] for index in ordered])


def _nearest(times: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    """For each time the index of the nearest other (ascending), -1 where none is within `_APART`."""
    if len(others) == 0:
        return np.full(len(times), -1)
    after = np.searchsorted(others, times).clip(0, len(others) - 1)
    before = (after - 1).clip(0)
    nearest = np.where(np.abs(others[before] - times) <= np.abs(others[after] - times), before, after)
    return np.where(np.abs(others[nearest] - times) <= _APART, nearest, -1)


def _mutual(times: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    """Like `_nearest`, but nothing is given to two: each must be the nearest of the other."""
    there, back = _nearest(times, others), _nearest(others, times)
    return np.array([other if other >= 0 and back[other] == index else -1 for index, other in enumerate(there)], dtype=int)


def _pose(values: Sequence[str], path: Path) -> Float[Tensor, "4 4"]:
    """tx ty tz qx qy qz qw: camera to world."""
    where = f"{path}: {' '.join(values)}"
    try:
        x, y, z, qx, qy, qz, qw = (float(value) for value in values[:7])
    except ValueError as error:
        raise S3DError(f"{where} is no pose", why=str(error), fix="copy the sequence again") from error
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrices(torch.tensor([qw, qx, qy, qz], dtype=torch.float64)).numpy()
    matrix[:3, 3] = x, y, z
    return torch.from_numpy(read_pose(matrix, where, called="tx ty tz qx qy qz qw"))
