"""What the RGB-D readers share: depth into colour, and images out of lenses that k1 k2 p1 p2 cannot describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt16

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size, read_colours, read_counts, write_image
from s3d_splat.io.intrinsics import checked_camera
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.calibration import RgbdCalibration, SensorCamera
from s3d_splat.io.readers.conversions import run_all
from s3d_splat.io.readers.depth_registration import NO_DEPTH, register_depth
from s3d_splat.types import CaptureView, Lens

Maps = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]
IntoColour = Callable[[np.ndarray], np.ndarray]  # what a depth image is in the pixels of the colour image


@dataclass(frozen=True)
class ColourCamera:
    """The lens of the colour images as they are handed on, and where their pixels come from (None: from where they are)."""

    lens: Lens
    maps: Maps | None


def colour_camera(camera: SensorCamera, width: int, height: int, where: str) -> ColourCamera:
    """How colour images of a camera are handed on: as they are, or undistorted where k3 is not 0.

    Raises:
        S3DError: there can be no such camera.
    """
    *lower, k3 = camera.distortion
    lens = Lens(camera.fx, camera.fy, camera.cx, camera.cy, *lower)
    checked_camera(lens, width, height, where)
    return ColourCamera(lens, None) if k3 == 0 else _undistorted(camera, width, height)


def convert(
    views: Sequence[CaptureView],
    maps: Maps | None,
    into_colour: IntoColour | None,
    work: Path,
    advance: Advance | None,
) -> tuple[CaptureView, ...]:
    """The views with standard files; those that had to change lie below `work`, those already there are taken as they are.

    Args:
        views: with the lens that their images will have.
        maps: where the pixels of the colours come from, as `colour_camera` says; None: from where they are.
        into_colour: None where depth lies in the pixels of the colour image already.
    """
    if maps is None and into_colour is None:
        return tuple(views)
    converted = tuple(_converted(view, maps is not None, work) for view in views)
    jobs = [partial(_convert, old, new, maps, into_colour) for old, new in zip(views, converted, strict=True)]
    run_all(jobs, advance)
    return converted


def into_colour(calibration: RgbdCalibration, width: int, height: int) -> IntoColour:
    """How depth images come into the pixels of colour images of that size: where both cameras are in one place, each pixel
    takes the depth of the pixel that sees the same ray; else surfaces are drawn anew as colour sees them.
    """
    depth, colour = calibration.depth, calibration.colour
    if not np.array_equal(calibration.T_colour_depth, np.eye(4)) or any((*depth.distortion, *colour.distortion)):
        return partial(register_depth, calibration=calibration, width=width, height=height)
    column = (np.arange(width) + 0.5 - colour.cx) / colour.fx * depth.fx + depth.cx
    row = (np.arange(height) + 0.5 - colour.cy) / colour.fy * depth.fy + depth.cy
    return partial(_looked_up, columns=np.floor(column).astype(int), rows=np.floor(row).astype(int))


def depth_size(views: Sequence[CaptureView]) -> tuple[int, int] | None:
    """Width and height of the first depth image, which the others must have too; None if there is none.

    Raises:
        S3DError: the image cannot be read.
    """
    paths = (view.depth_path for view in views if view.depth_path is not None)
    return next((image_size(path, where=path.name) for path in paths), None)


def enlarged(counts: UInt16[np.ndarray, "_ _"], width: int, height: int) -> UInt16[np.ndarray, "{height} {width}"]:
    """A depth image that covers what the colours cover, coarser, in their pixels."""
    rows, columns = counts.shape
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return counts[row[:, None], column[None]]


def pixel_camera(matrix: Float[np.ndarray, "_ _"], where: str) -> SensorCamera:
    """The camera of an intrinsic matrix (3x3 or larger) whose pixels have their centres at whole numbers.

    Raises:
        S3DError: these are no intrinsics.
    """
    square = min(matrix.shape) >= 3
    if not square or not np.isfinite(matrix[:3, :3]).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise S3DError(f"{where}: no intrinsics", why="they are a 3x3 or 4x4 matrix of pixels", fix="write the file again")
    return SensorCamera(float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]) + 0.5, float(matrix[1, 2]) + 0.5)


def read_matrix(path: Path, where: str) -> Float[np.ndarray, "rows columns"]:
    """The numbers of a text file.

    Raises:
        S3DError: it is missing, or holds something else.
    """
    try:
        return np.loadtxt(path, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise S3DError(f"{where}: {path} cannot be read as numbers", why=str(error), fix="write the file again") from error


def _looked_up(
    counts: UInt16[np.ndarray, "_ _"], columns: Int[np.ndarray, " w"], rows: Int[np.ndarray, " h"]
) -> UInt16[np.ndarray, "h w"]:
    height, width = counts.shape
    seen = counts[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None]]
    outside = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))[None]
    return np.where(outside | (seen == NO_DEPTH), np.uint16(0), seen)


def _undistorted(camera: SensorCamera, width: int, height: int) -> ColourCamera:
    """The pinhole camera that leaves no pixel empty, as `geometry.lenses` chooses it."""
    import cv2

    matrix = np.array([[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1.0]])
    coefficients = np.array(camera.distortion)
    pinhole, _ = cv2.getOptimalNewCameraMatrix(matrix, coefficients, (width, height), 0)
    maps = cv2.initUndistortRectifyMap(matrix, coefficients, np.eye(3), pinhole, (width, height), cv2.CV_32FC1)
    fx, fy, cx, cy = (float(value) for value in (pinhole[0, 0], pinhole[1, 1], pinhole[0, 2] + 0.5, pinhole[1, 2] + 0.5))
    return ColourCamera(Lens(fx, fy, cx, cy, 0.0, 0.0, 0.0, 0.0), (maps[0], maps[1]))


def _converted(view: CaptureView, undistorted: bool, work: Path) -> CaptureView:
    stem = Path(view.name).stem
    return replace(
        view,
        image_path=work / "images" / f"{stem}.png" if undistorted else view.image_path,
        depth_path=None if view.depth_path is None else work / "depth" / f"{stem}.png",
    )


def _convert(old: CaptureView, new: CaptureView, maps: Maps | None, into_colour: IntoColour | None) -> None:
    import cv2

    if maps is not None and not new.image_path.exists():
        colours = read_colours(old.image_path, where=old.name)
        write_image(new.image_path, cv2.remap(colours, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    if old.depth_path is None or new.depth_path is None or new.depth_path.exists():
        return
    counts = read_counts(old.depth_path, "depth", where=old.name)
    counts = counts if into_colour is None else into_colour(counts)
    write_image(new.depth_path, counts if maps is None else cv2.remap(counts, *maps, cv2.INTER_NEAREST))
