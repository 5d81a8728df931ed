"""Frames out of a video file, upright, with square pixels, as 8-bit sRGB; importing this needs PyAV.

Wide-range video (10 bits and more, PQ or HLG) is brought to sRGB by libswscale: the white of the content (203 cd/m2, ITU-R
BT.2408) becomes 255, what is brighter is cut off. Everything else is decoded as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, VideoReformatter
from jaxtyping import UInt8

from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.sharpness import SMALL, sharpness

_WIDE_RANGE = (int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67))
_UNSPECIFIED = 2  # FFmpeg's number for a colour space that the file does not name
_HIGH_DEFINITION = 720  # rows from which an unnamed colour space is BT.709


@dataclass(frozen=True)
class VideoTimes:
    """When the frames of a video are shown."""

    seconds: tuple[float, ...]  # of each frame, ascending from 0
    end: float  # of the last one
    announced: float | None  # what the file says of its length, in seconds


def video_times(path: Path) -> VideoTimes:
    """The times of all frames, without decoding any.

    Raises:
        S3DError: the file cannot be read, is no video, or has no frames.
    """
    with _opened(path) as (container, stream):
        stamps: list[int | None] = []
        last = 0
        for packet in container.demux(stream):
            if packet.size:
                stamps.append(packet.pts)
                last = packet.duration or last
        if not stamps:
            raise S3DError(f"{path} has no frames", why="it is empty, or was cut off", fix="record or copy the video again")
        base, rate = stream.time_base or Fraction(1, 1000), stream.average_rate or Fraction(25)
        if any(stamp is None for stamp in stamps):
            seconds = [float(index / rate) for index in range(len(stamps))]
        else:
            known = sorted(stamp for stamp in stamps if stamp is not None)
            seconds = [float((stamp - known[0]) * base) for stamp in known]
        return VideoTimes(tuple(seconds), seconds[-1] + float(last * base), _announced(container, stream))


def write_sharpest(
    path: Path, parts: Sequence[int], target: Callable[[int], Path], advance: Advance | None = None
) -> tuple[int, ...]:
    """Write the sharpest frame of each part of a video, decoding one frame after the other.

    Args:
        parts: what part each frame belongs to, -1: none; parts follow each other.
        target: where a frame is written to, by its number; where one lies that an interrupted call wrote, its part is done.

    Returns:
        The numbers of all frames of these parts, ascending.

    Raises:
        S3DError: the file is damaged, or its images change their size.
    """
    written = {number for number in range(len(parts)) if target(number).exists()}
    done = {parts[number] for number in written}
    best: tuple[float, int, Any] | None = None  # of the part that is being decoded: sharpness, number, frame
    with _opened(path) as (container, stream):
        writer = _Writer(path, target, stream.sample_aspect_ratio or Fraction(1))
        for number, frame in zip(range(len(parts)), _decoded(container, stream, path), strict=False):
            if best is not None and parts[number] not in (-1, parts[best[1]]):
                written.add(writer.write(best[1], best[2]))
                best = None
            if parts[number] >= 0 and parts[number] not in done and not frame.is_corrupt:
                sharp = _frame_sharpness(frame)
                if best is None or sharp > best[0]:
                    best = sharp, number, frame
            if advance is not None:
                advance(number + 1, len(parts))
        if best is not None:
            written.add(writer.write(best[1], best[2]))
    return tuple(sorted(written))


def upright(pixels: UInt8[np.ndarray, "_ _ 3"], matrix: Sequence[int], where: str) -> UInt8[np.ndarray, "_ _ 3"]:
    """An image as the display matrix of its video shows it: turned by quarters, mirrored, or both.

    Args:
        matrix: nine numbers by rows; a pixel (x, y) is shown at (x, y, 1) times the matrix.

    Raises:
        S3DError: it turns by an angle between quarters.
    """
    a, b, _, c, d = matrix[:5]
    if b == c == 0 and a and d:
        turned, flips = pixels, (d < 0, a < 0)
    elif a == d == 0 and b and c:
        turned, flips = pixels.transpose(1, 0, 2), (b < 0, c < 0)
    else:
        raise S3DError(
            f"{where} is shown turned by an angle that is no quarter turn",
            why=f"its display matrix begins with {a}, {b}, {c}, {d}",
            fix="write the video anew the way it is shown: ffmpeg -i VIDEO upright.mp4",
        )
    return np.ascontiguousarray(turned[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise S3DError(f"{path} has no video", why="it holds sound or text alone", fix="name another file")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.error.FFmpegError, OSError) as error:
        raise S3DError(
            f"{path} cannot be read as a video",
            why=error.strerror or str(error),
            fix="copy or record it again; play it to see whether it is whole",
        ) from error


def _decoded(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """The frames in the order in which they are shown, all of one size."""
    size, shown = None, 0.0
    try:
        for frame in container.decode(stream):
            size, shown = size or (frame.width, frame.height), frame.time or shown
            if (frame.width, frame.height) != size:
                raise S3DError(
                    f"{path}: images of {size[0]}x{size[1]} are followed by {frame.width}x{frame.height} at {shown:.1f} s",
                    why="the images of one camera have one size",
                    fix=f"write it anew in one size: ffmpeg -i {path.name} -vf scale={size[0]}:{size[1]} scaled.mp4",
                )
            yield frame
    except av.error.InvalidDataError as error:
        raise S3DError(
            f"{path} is damaged after {shown:.1f} s",
            why=error.strerror or str(error),
            fix=f"copy it again, or write anew what can be read: ffmpeg -i {path.name} -crf 16 whole.mp4",
        ) from error


def _announced(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if alone else None


def _frame_sharpness(frame: Any) -> float:
    ratio = max(1, max(frame.width, frame.height) // SMALL)
    size = {"width": frame.width // ratio, "height": frame.height // ratio}
    return sharpness(frame.reformat(**size, format="gray", interpolation="AREA").to_ndarray())


class _Writer:
    """Writes frames of one video; what colours become is worked out once, which takes seconds for wide-range video."""

    def __init__(self, path: Path, target: Callable[[int], Path], aspect: Fraction) -> None:
        self._path, self._target, self._aspect = path, target, aspect
        self._convert = VideoReformatter()

    def write(self, number: int, frame: Any) -> int:
        """Write a frame, and return its number."""
        pixels = self._colours(frame)
        if SideData.DISPLAYMATRIX in frame.side_data:
            matrix = np.frombuffer(bytes(frame.side_data[SideData.DISPLAYMATRIX]), dtype=np.int32)
            pixels = upright(pixels, matrix.tolist(), str(self._path))
        write_image(self._target(number), pixels)
        return number

    def _colours(self, frame: Any) -> UInt8[np.ndarray, "_ _ 3"]:
        """The pixels as 8-bit sRGB, made wider or higher where they are not square."""
        width, height, aspect = frame.width, frame.height, self._aspect
        if aspect > 1:
            width = round(width * aspect)
        elif 0 < aspect < 1:
            height = round(height / aspect)
        colours: dict[str, Any] = {}
        if frame.color_trc in _WIDE_RANGE:
            colours = {"dst_color_trc": ColorTrc.IEC61966_2_1, "dst_color_primaries": ColorPrimaries.BT709}
        elif frame.colorspace == _UNSPECIFIED and frame.height >= _HIGH_DEFINITION:
            colours = {"src_colorspace": Colorspace.ITU709}
        return self._convert.reformat(frame, width, height, format="rgb24", **colours).to_ndarray()
