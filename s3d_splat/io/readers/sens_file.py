"""ScanNet's `.sens`, read one frame at a time: a header, then for each frame its pose and its compressed images.

Layout, little endian (ScanNet, Dai et al., CVPR 2017; SensReader's README names the fields): uint32 version (4); uint64
length and bytes of the sensor's name; four float32 4x4 matrices by rows (intrinsics and extrinsics of colour, then of
depth); int32 compression of colour (0 raw, 1 png, 2 jpeg) and of depth (0 raw, 1 zlib, 2 occipital), both of uint8 and
uint16 pixels; uint32 width and height of colour, then of depth; float32 counts of depth for a metre; uint64 number of
frames. A frame: float32 4x4 camera to world; uint64 time stamps of colour and depth; uint64 bytes of colour and of depth;
these bytes. What follows the frames (motion sensors) is not read. No number of the file is believed before it is compared
with what the file can hold.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, UInt16

from s3d_splat.errors import S3DError

COLOUR_SUFFIX = {0: ".png", 1: ".png", 2: ".jpg"}  # raw pixels are written as PNG
_VERSION = 4
_LONGEST_NAME = 4096
_LARGEST_SIDE = 16384  # pixels
_RAW, _ZLIB = 0, 1
_FRAME = struct.Struct("<16f4Q")
_SIZES = struct.Struct("<2i4IfQ")


@dataclass(frozen=True)
class SensHeader:
    """What holds for all frames."""

    sensor: str
    colour_intrinsics: Float[np.ndarray, "4 4"]  # pixels with centres at whole numbers
    colour_extrinsics: Float[np.ndarray, "4 4"]
    depth_intrinsics: Float[np.ndarray, "4 4"]
    depth_extrinsics: Float[np.ndarray, "4 4"]  # of points of the depth camera; identity where depth is aligned to colour
    colour_compression: int
    depth_compression: int
    colour_size: tuple[int, int]  # width, height
    depth_size: tuple[int, int]
    counts_per_metre: float


@dataclass(frozen=True)
class SensFrame:
    """Where a frame lies in the file."""

    number: int
    pose: Float[np.ndarray, "4 4"]  # camera to world; not finite where tracking was lost
    colour: tuple[int, int]  # offset and number of bytes
    depth: tuple[int, int]


class SensFile:
    """An open `.sens` file (`with SensFile(path) as file`); `header` and `frames` are read at once, pixels on demand.

    Raises (constructor):
        S3DError: it cannot be read, is none, is damaged, or is compressed in a way that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 closed by __exit__
            self._bytes, self._position = os.fstat(self._file.fileno()).st_size, 0
        except OSError as error:
            raise S3DError(f"{path} cannot be read", why=error.strerror or str(error), fix="check the file") from error
        try:
            self.header, count = self._read_header()
            self.frames = self._read_index(count)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> SensFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def colour_bytes(self, frame: SensFrame) -> bytes:
        """The colours as they are stored: a PNG or JPEG file, or raw pixels of exactly the image's size."""
        stored = self._at(*frame.colour, f"colours of frame {frame.number}")
        width, height = self.header.colour_size
        if self.header.colour_compression == _RAW and len(stored) != 3 * width * height:
            raise self._damaged(f"frame {frame.number} has {len(stored)} bytes of colour, not 3 x {width} x {height}")
        return stored

    def depth_counts(self, frame: SensFrame) -> UInt16[np.ndarray, "h w"]:
        """The depth image. Raises S3DError if it is damaged."""
        width, height = self.header.depth_size
        stored, wanted = self._at(*frame.depth, f"depth of frame {frame.number}"), 2 * width * height
        if self.header.depth_compression == _ZLIB:
            try:
                stored = zlib.decompressobj().decompress(stored, wanted + 1)  # never more than the image can hold
            except zlib.error as error:
                raise self._damaged(f"depth of frame {frame.number}: {error}") from error
        if len(stored) != wanted:
            raise self._damaged(f"frame {frame.number} has {len(stored)} bytes of depth, not 2 x {width} x {height}")
        return np.frombuffer(stored, dtype="<u2").reshape(height, width).astype(np.uint16)

    def _read_header(self) -> tuple[SensHeader, int]:
        (version,) = struct.unpack("<I", self._next(4))
        if version != _VERSION:
            raise S3DError(
                f"{self.path} is no .sens file of version {_VERSION}",
                why=f"it begins with {version}",
                fix="name a .sens file of ScanNet, or export this one again with ScanNet's tools",
            )
        (length,) = struct.unpack("<Q", self._next(8))
        if length > _LONGEST_NAME:
            raise self._damaged(f"the name of its sensor has {length} bytes")
        sensor = self._next(length).decode("utf-8", errors="replace")
        colour_in, colour_out, depth_in, depth_out = (self._matrix(self._next(64)) for _ in range(4))
        colour, depth, *sizes, shift, count = _SIZES.unpack(self._next(_SIZES.size))
        if colour not in COLOUR_SUFFIX or depth not in (_RAW, _ZLIB):
            raise S3DError(
                f"{self.path}: compression {colour} of colour and {depth} of depth",
                why="colour is read as 0 raw, 1 png, 2 jpeg, depth as 0 raw, 1 zlib",
                fix="extract the images with ScanNet's own SensReader, and name that folder",
            )
        if not all(1 <= side <= _LARGEST_SIDE for side in sizes):
            raise self._damaged(f"its images would have {sizes[0]}x{sizes[1]} and {sizes[2]}x{sizes[3]} pixels")
        if not (np.isfinite(shift) and shift > 0):
            raise self._damaged(f"a metre of depth would have {shift} counts")
        width, height, depth_width, depth_height = (int(side) for side in sizes)
        cameras = colour_in, colour_out, depth_in, depth_out
        return SensHeader(sensor, *cameras, colour, depth, (width, height), (depth_width, depth_height), shift), count

    def _read_index(self, count: int) -> tuple[SensFrame, ...]:
        """Where every frame lies, hopping from one to the next."""
        if count * _FRAME.size > self._bytes - self._position:
            raise self._damaged(f"{count} frames do not fit into its {self._bytes} bytes")
        frames = []
        for number in range(count):
            *pose, _, _, colour, depth = _FRAME.unpack(self._next(_FRAME.size))
            start = self._position
            if colour + depth > self._bytes - start:
                raise self._damaged(f"it ends within frame {number} of {count}")
            frames.append(SensFrame(number, np.array(pose).reshape(4, 4), (start, colour), (start + colour, depth)))
            self._position += colour + depth
        return tuple(frames)

    def _at(self, offset: int, length: int, what: str) -> bytes:
        found = os.pread(self._file.fileno(), length, offset)  # threads share the file
        if len(found) != length:
            raise self._damaged(f"it ends within the {what}")
        return found

    def _next(self, length: int) -> bytes:
        self._position += length
        return self._at(self._position - length, length, "header")

    @staticmethod
    def _matrix(stored: bytes) -> Float[np.ndarray, "4 4"]:
        return np.frombuffer(stored, dtype="<f4").reshape(4, 4).astype(np.float64)

    def _damaged(self, why: str) -> S3DError:
        return S3DError(f"{self.path} is damaged", why=why, fix="copy or download the file again")
