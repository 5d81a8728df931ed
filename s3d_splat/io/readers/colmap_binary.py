"""A look over COLMAP's binary files before they are read: pycolmap 4.2 takes endless memory for one that was cut short.

The layouts are those of COLMAP's `scene/reconstruction_io_binary.cc`; importing this needs pycolmap.
"""

from __future__ import annotations

import struct
from pathlib import Path

import PIL.Image  # noqa: F401 before pycolmap, which brings a zlib that Pillow must not bind to: writing a PNG would crash
import pycolmap

from s3d_splat.errors import S3DError

_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")  # id, model, width, height; then its parameters, 8 bytes each
_IMAGE = struct.Struct("<I7dI")  # id, quaternion, translation, camera; then its name, and its points in the image
_IMAGE_POINT = 24
_POINT = struct.Struct("<Q3d3Bd")  # id, place, colour, error; then its track
_TRACK_ELEMENT = 8


def check_binary_model(place: Path) -> None:
    """Check that `cameras.bin`, `images.bin` and `points3D.bin` hold as much as they promise.

    Raises:
        S3DError: one of them holds less or more.
    """
    for name, end in (("cameras", _end_of_cameras), ("images", _end_of_images), ("points3D", _end_of_points)):
        path = place / f"{name}.bin"
        try:
            content = path.read_bytes()
            if end(content) != len(content):
                raise ValueError("its content and its size do not agree")
        except (OSError, ValueError, struct.error) as error:
            raise S3DError(
                f"{path} cannot be read", why=str(error), fix="export the model again: the file is damaged or cut short"
            ) from error


def _end_of_cameras(content: bytes) -> int:
    (count,), offset = _COUNT.unpack_from(content), _COUNT.size
    for _ in range(count):
        _, number, width, height = _CAMERA.unpack_from(content, offset)
        model = pycolmap.CameraModelId(number)
        if model not in pycolmap.CameraModelId.__members__.values() or model == pycolmap.CameraModelId.INVALID:
            raise ValueError(f"there is no camera model {number}")
        parameters = len(pycolmap.Camera.create_from_model_id(1, model, 1.0, width, height).params)
        offset += _CAMERA.size + 8 * parameters
    return offset


def _end_of_images(content: bytes) -> int:
    (count,), offset = _COUNT.unpack_from(content), _COUNT.size
    for _ in range(count):
        _IMAGE.unpack_from(content, offset)
        offset = content.index(b"\0", offset + _IMAGE.size) + 1
        (points,) = _COUNT.unpack_from(content, offset)
        offset += _COUNT.size + _IMAGE_POINT * points
    return offset


def _end_of_points(content: bytes) -> int:
    (count,), offset = _COUNT.unpack_from(content), _COUNT.size
    for _ in range(count):
        (elements,) = _COUNT.unpack_from(content, offset + _POINT.size)
        offset += _POINT.size + _COUNT.size + _TRACK_ELEMENT * elements
    return offset
