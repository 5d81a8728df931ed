"""ScanNet's recordings as they are downloaded: one `.sens` file, and beside it, where they are there, the 2D instance masks
(`SCENE_2d-instance-filt.zip`, or `instance-filt/`) and the names of the objects (`SCENE.aggregation.json`).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing
from s3d_splat.io.images import write_image
from s3d_splat.io.labels import classes_of
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.calibration import RgbdCalibration
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.conversions import run_all
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rgbd import IntoColour, colour_camera, into_colour, pixel_camera
from s3d_splat.io.readers.scannet_labels import find_masks, read_objects
from s3d_splat.io.readers.sens_file import COLOUR_SUFFIX, SensFile, SensFrame
from s3d_splat.io.readers.sharpness import SMALL, choose, sharpness
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens

_LOG = logging.getLogger("s3d_splat")


class SensReader:
    """Posed RGB-D images out of one file, with the instance masks beside it; frames without a pose are left out."""

    name = "sens"

    def recognises(self, folder: Path) -> bool:
        """A `.sens` file, or a folder with one of them."""
        return folder.suffix.lower() == ".sens" if folder.is_file() else len(_files(folder)) == 1

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the frames in their order as `000000.jpg` and so on: images are written to `work/images` as they are stored,
        depth, as colour sees it, to `work/depth`."""
        with SensFile(_file(folder)) as file:
            frames = choose(_posed(file), choice, lambda frame: _sharpness(file, frame), advance)
            check_images_left(folder, [str(frame.number) for frame in frames])
            calibration = _calibration(file)
            width, height = file.header.colour_size
            lens = colour_camera(calibration.colour, width, height, str(file.path)).lens
            views = tuple(_view(file, frame, calibration, lens, work) for frame in frames)
            convert = into_colour(calibration, width, height)
            jobs = [partial(_write, file, frame, view, convert) for frame, view in zip(frames, views, strict=True)]
            run_all(jobs, advance)
        beside, scene = file.path.parent, file.path.stem
        masks = find_masks(beside, scene, [frame.number for frame in frames], work)
        views = tuple(
            replace(view, instance_path=masks.get(frame.number)) for frame, view in zip(frames, views, strict=True)
        )
        instances = read_objects(beside, views, scene)
        clusters = (CaptureCluster(views, instances),)
        check_files(clusters, advance)
        names = tuple(view.name for view in views)
        return Capture(folder, self.name, names, clusters, classes=classes_of(instances, beside))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() == ".sens"] if folder.is_dir() else []


def _file(folder: Path) -> Path:
    found = [folder] if folder.is_file() else _files(folder)
    if len(found) != 1:
        raise S3DError(f"{folder} holds {len(found)} .sens files", why="a recording is one file", fix="name the file itself")
    return found[0]


def _posed(file: SensFile) -> Sequence[SensFrame]:
    posed = [frame for frame in file.frames if np.isfinite(frame.pose).all()]
    if len(posed) < len(file.frames):
        gone, count = len(file.frames) - len(posed), len(file.frames)
        _LOG.warning("%d of %d frames are left out: they have no pose, tracking was lost there.", gone, count)
    return posed


def _calibration(file: SensFile) -> RgbdCalibration:
    header, where = file.header, str(file.path)
    colour = read_pose(header.colour_extrinsics, where, called="extrinsics of colour")
    depth = read_pose(header.depth_extrinsics, where, called="extrinsics of depth")
    return RgbdCalibration(
        colour=pixel_camera(header.colour_intrinsics, f"{where}: colour"),
        depth=pixel_camera(header.depth_intrinsics, f"{where}: depth"),
        T_colour_depth=np.linalg.inv(colour) @ depth,
        depth_scale=1 / header.counts_per_metre,
    )


def _view(file: SensFile, frame: SensFrame, calibration: RgbdCalibration, lens: Lens, work: Path) -> CaptureView:
    """The view as `_write` will write it. Poses are the depth camera's, which is colour's where depth is aligned."""
    stem = f"{frame.number:06d}"
    name = stem + COLOUR_SUFFIX[file.header.colour_compression]
    pose = read_pose(frame.pose, f"{file.path}: frame {frame.number}", called="camera to world")
    return CaptureView(
        name=name,
        image_path=work / "images" / name,
        width=file.header.colour_size[0],
        height=file.header.colour_size[1],
        lens=lens,
        T_cluster_camera=torch.from_numpy(pose @ np.linalg.inv(calibration.T_colour_depth)),
        depth_path=work / "depth" / f"{stem}.png" if frame.depth[1] else None,
        depth_scale=calibration.depth_scale,
    )


def _write(file: SensFile, frame: SensFrame, view: CaptureView, convert: IntoColour) -> None:
    """Write what is not there yet: an interrupted call may have written some of the images."""
    if not view.image_path.exists():
        stored = file.colour_bytes(frame)
        if file.header.colour_compression == 0:
            write_image(view.image_path, _raw_pixels(file, stored))
        else:
            with replacing(view.image_path, durable=False) as temporary:
                temporary.write_bytes(stored)
    if view.depth_path is not None and not view.depth_path.exists():
        write_image(view.depth_path, convert(file.depth_counts(frame)))


def _raw_pixels(file: SensFile, stored: bytes) -> UInt8[np.ndarray, "h w 3"]:
    width, height = file.header.colour_size
    return np.frombuffer(stored, dtype=np.uint8).reshape(height, width, 3)


def _sharpness(file: SensFile, frame: SensFrame) -> float:
    """0 where the colours cannot be decoded: the check of the written file says what is wrong with them."""
    stored = file.colour_bytes(frame)
    if file.header.colour_compression == 0:
        image = Image.fromarray(_raw_pixels(file, stored))
    else:
        try:
            image = Image.open(io.BytesIO(stored))
            image.draft("L", (SMALL, SMALL))
            image.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return 0.0
    return sharpness(np.array(image.convert("L").reduce(max(1, max(image.size) // SMALL))))
