"""ScanNet++ (Yeshwanth et al., ICCV 2023), what the iPhone took: rgb.mkv, or rgb/frame_000000.jpg as extracted, and depth/.

Cameras come from `colmap/` (every tenth frame, refined), else from `pose_intrinsic_imu.json` (all frames): `aligned_pose` is
camera to world with x to the right, y down, `intrinsic` has pixel centres at whole numbers. Depth (256x192, millimetres)
lies over the colours, coarser. `depth.bin` is not read: the data set's own tools extract it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.intrinsics import checked_camera
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.colmap import model_place
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rgbd import convert, depth_size, enlarged
from s3d_splat.io.readers.scannetpp_cameras import PHONE_POSES, posed_views
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.readers.trajectories import frame_number
from s3d_splat.io.readers.video import import_frames
from s3d_splat.types import Capture, CaptureCluster, CaptureView

_LOG = logging.getLogger("s3d_splat")
_VIDEOS = ("rgb.mkv", "rgb.mp4", "rgb.mov")


class ScanNetPpPhoneReader:
    """Posed RGB-D images, out of the video where they are not extracted; frames without a pose are left out."""

    name = "scannetpp_iphone"

    def recognises(self, folder: Path) -> bool:
        """`iphone/` (or the folder itself) with images or video, and poses."""
        place = _place(folder)
        seen = (place / "rgb").is_dir() or _video(place) is not None
        return seen and ((place / PHONE_POSES).is_file() or model_place(place / "colmap") is not None)

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the frames in their order; those of the video are written to `work/images`, depth in the pixels of colour to
        `work/depth`.
        """
        place = _place(folder)
        views, points = posed_views(place)
        check_images_left(folder, [view.name for view in views])
        if (place / "rgb").is_dir():
            chosen = choose(_extracted(views), choice, lambda view: file_sharpness(view.image_path), advance)
        else:
            chosen = _out_of_video(place, views, work, choice, advance)
        check_images_left(folder, [view.name for view in chosen])
        width, height = image_size(chosen[0].image_path, where=chosen[0].name)
        views = tuple(_sized(view, width, height, place) for view in chosen)
        _tell_packed_depth(place, views)
        check_files((CaptureCluster(views),), advance, depth_size(views))
        views = convert(views, None, lambda counts: enlarged(counts, width, height), work, advance)
        names = tuple(view.name for view in views)
        return Capture(root=folder, format=self.name, names=names, clusters=(CaptureCluster(views),), points=points)


def _place(folder: Path) -> Path:
    return folder / "iphone" if (folder / "iphone").is_dir() else folder


def _video(place: Path) -> Path | None:
    return next((place / name for name in _VIDEOS if (place / name).is_file()), None)


def _extracted(views: Sequence[CaptureView]) -> list[CaptureView]:
    there = [view for view in views if view.image_path.is_file()]
    if there and len(there) < len(views):
        _LOG.warning("%d of %d poses are left out: their images are not extracted.", len(views) - len(there), len(views))
    return there


def _out_of_video(
    place: Path, views: Sequence[CaptureView], work: Path, choice: FrameChoice, advance: Advance | None
) -> list[CaptureView]:
    """The views whose frames are taken, with their images, which are written to `work/images`."""
    path = _video(place)
    if path is None:
        raise S3DError(f"{place} has neither rgb/ nor rgb.mkv", why="these are its images", fix="download one of them")
    frames = import_frames()
    times = frames.video_times(path)
    numbered = {frame_number(Path(view.name)): view for view in views}
    there = [number for number in sorted(numbered) if number < len(times.seconds)]
    if len(there) < len(numbered):
        _LOG.warning("%d of %d poses are left out: %s ends before.", len(numbered) - len(there), len(numbered), path)
    parts = [-1] * len(times.seconds)
    for index, number in enumerate(there):
        parts[number] = _part(index, len(there), times.seconds[number], choice)

    def target(number: int) -> Path:
        return work / "images" / f"frame_{number:06d}.jpg"

    taken = frames.write_sharpest(path, parts, target, advance)
    return [replace(numbered[number], image_path=target(number)) for number in taken if number in numbered]


def _part(index: int, count: int, seconds: float, choice: FrameChoice) -> int:
    """What part the `index`-th of `count` frames with poses belongs to; each is one where all are taken."""
    if choice.fps is not None:
        return int(seconds * choice.fps)
    wanted = count if choice.count is None else min(choice.count, count)
    return index * wanted // count


def _sized(view: CaptureView, width: int, height: int, place: Path) -> CaptureView:
    """The view with the size of the images, which the camera must fit."""
    if view.lens is not None:
        checked_camera(view.lens, width, height, f"{place}: {view.name}")
    return replace(view, width=view.width or width, height=view.height or height)


def _tell_packed_depth(place: Path, views: Sequence[CaptureView]) -> None:
    if (place / "depth.bin").is_file() and not any(view.depth_path for view in views):
        _LOG.warning(
            "%s is not read: extract depth/ with the data set's tools (python -m iphone.prepare_iphone_data).",
            place / "depth.bin",
        )
