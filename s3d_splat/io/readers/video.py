"""A video: anything that PyAV opens. Its sharpest frames become images of a camera that is not known."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files
from s3d_splat.io.readers.options import EVERY, VIDEO_FPS, FrameChoice
from s3d_splat.io.readers.photos import has_photos
from s3d_splat.types import Capture, CaptureCluster, CaptureView

_LOG = logging.getLogger("s3d_splat")
SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".3gp", ".wmv")
_ROUNDING = 1e-6  # a frame that begins a part belongs to it
_MAY_MISS = 1.0  # seconds that a video may be shorter than its file says


class VideoReader:
    """Images without poses; of each part of the time the sharpest frame."""

    name = "video"

    def recognises(self, folder: Path) -> bool:
        """A file with the name of a video, or a folder with one and no photos: phones store moving ones beside them."""
        if folder.is_file():
            return is_video(folder)
        return bool(_videos(folder)) and not (folder / "images").is_dir() and not has_photos(folder)

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Decode the video once, and write the images to `work/images`, named by the number of their frame."""
        path = _file(folder)
        frames = import_frames()
        times = frames.video_times(path)
        parts = equal_parts(times.seconds, times.end, choice)
        if times.announced is not None and times.end < times.announced - _MAY_MISS:
            _LOG.warning("%s ends at %.1f s of %.1f s: it was cut off.", path, times.end, times.announced)

        def target(number: int) -> Path:
            return work / "images" / f"{number:06d}.jpg"

        taken = frames.write_sharpest(path, parts, target, advance)
        _LOG.info("%s: %.1f s, %d frames, of which %d are taken.", path.name, times.end, len(parts), len(taken))
        views = image_views([target(number) for number in taken])
        clusters = (CaptureCluster(views),)
        check_files(clusters, advance)
        return Capture(root=folder, format=self.name, names=tuple(view.name for view in views), clusters=clusters)


def is_video(path: Path) -> bool:
    """Whether a file is called like a video."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def equal_parts(seconds: Sequence[float], end: float, choice: FrameChoice) -> list[int]:
    """What part of the time each frame belongs to: `choice.count` parts, or `choice.fps` in a second."""
    rate = choice.fps or VIDEO_FPS
    if choice.count is not None and end > 0:
        rate = choice.count / end
    parts = [int(second * rate + _ROUNDING) for second in seconds]
    return parts if choice.count is None else [min(part, choice.count - 1) for part in parts]


def import_frames() -> ModuleType:
    """The module that decodes videos.

    Raises:
        S3DError: PyAV is not installed.
    """
    try:
        from s3d_splat.io.readers import video_frames
    except ImportError as error:
        raise S3DError(
            "videos cannot be read here",
            why="the package av (PyAV, which brings FFmpeg's libraries) is not installed",
            fix="pip install 's3d-splat[video]', or write images into a folder: ffmpeg -i VIDEO -vf fps=2 FOLDER/%05d.png",
        ) from error
    return video_frames


def image_views(images: Sequence[Path]) -> tuple[CaptureView, ...]:
    """Images of which nothing else is known."""
    sizes = [image_size(image, where=image.name) for image in images]
    return tuple(CaptureView(image.name, image, *size, None, None) for image, size in zip(images, sizes, strict=True))


def _videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and is_video(path)) if folder.is_dir() else []


def _file(folder: Path) -> Path:
    found = [folder] if folder.is_file() else _videos(folder)
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5])
        raise S3DError(
            f"{folder} holds {len(found)} videos{': ' if names else ''}{names}",
            why="a capture is one video",
            fix="name the file itself, or write the images of all of them into a folder images/",
        )
    return found[0]
