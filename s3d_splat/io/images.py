"""Image files: reading with a check of type and size, and writing. Pillow decodes; orientation tags are ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing

Content = Literal["image", "depth", "instances", "semantics", "confidence", "mask"]

# Pillow names 16-bit grey "I" in older versions and "I;16" in newer ones. Labels may be 8-bit, depths may not.
MODES: dict[Content, tuple[str, ...]] = {
    "image": ("RGB", "L"),
    "depth": ("I;16", "I;16B", "I"),
    "instances": ("I;16", "I;16B", "I", "L"),
    "semantics": ("I;16", "I;16B", "I", "L"),
    "confidence": ("L",),
    "mask": ("L", "1"),
}
_WANTED: dict[Content, str] = {
    "image": "an 8-bit RGB or grey image",
    "depth": "a 16-bit grey PNG (uint16, 0 = none)",
    "instances": "a 16-bit grey PNG of ids (uint16, 0 = unlabelled)",
    "semantics": "a 16-bit grey PNG of class ids (uint16, 0 = unlabelled)",
    "confidence": "an 8-bit grey image (255 = the depth can be trusted fully)",
    "mask": "an 8-bit grey image (0 = ignore the pixel, 255 = use it)",
}


def check_image_file(path: Path, content: Content, width: int, height: int, *, where: str) -> None:
    """Check that a file is there, that its header is that of `content`, and that it has the size of its camera.

    Args:
        where: names the frame in the message, such as "frame 3 (images/0003.png)".

    Raises:
        S3DError: missing, unreadable, of another type or size.
    """
    with _opened(path, content, where) as image:
        if image.mode not in MODES[content]:
            raise S3DError(
                f"{where}: {path} has pixels of type {image.mode}",
                why=f"its {content} must be {_WANTED[content]}",
                fix="convert the file; colours over transparency must be flattened on a background first",
            )
        if image.size != (width, height):
            raise S3DError(
                f"{where}: {path} is {image.size[0]}x{image.size[1]}, but the camera is {width}x{height}",
                why="image, depth and masks of a frame are compared pixel by pixel, with the intrinsics of transforms.json",
                fix="resize the file (nearest neighbour for depth and masks), or correct w, h and intrinsics of the frame",
            )


def check_image_body(path: Path, content: Content, *, where: str) -> None:
    """Decode a file as fast as its format allows and throw the pixels away, so that a truncated one is found early.

    Raises:
        S3DError: the file ends early or is damaged.
    """
    with _opened(path, content, where) as image:
        image.draft(
            "L", (max(1, image.width // 8), max(1, image.height // 8))
        )  # JPEG: every bit is read, but few pixels are made
        _decode(image, path, content, where)


def check_mask_body(path: Path, *, where: str) -> None:
    """Decode a mask and check that it leaves something.

    Raises:
        S3DError: the file ends early or is damaged, or every pixel is 0.
    """
    if not read_counts(path, "mask", where=where).any():
        raise S3DError(
            f"{where}: {path} is 0 everywhere",
            why="0 means that a pixel counts for nothing, so the whole image says nothing",
            fix="write 255 where the image may be used, or leave the image out",
        )


def image_size(path: Path, *, where: str) -> tuple[int, int]:
    """Width and height, from the header. Raises S3DError if it cannot be read."""
    with _opened(path, "image", where) as image:
        return image.size


def open_image(path: Path, *, where: str) -> Image.Image:
    """A photo whose pixels are not yet decoded, for its header. Raises S3DError if it cannot be read."""
    return _opened(path, "image", where)


def read_colours(path: Path, *, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of an image. Raises S3DError if it cannot be read."""
    with _opened(path, "image", where) as image:
        _decode(image, path, "image", where)
        return np.array(image.convert("RGB"))


def read_counts(path: Path, content: Content, *, where: str) -> UInt16[np.ndarray, "h w"]:
    """The pixels of a depth or label image. Raises S3DError if it cannot be read."""
    with _opened(path, content, where) as image:
        _decode(image, path, content, where)
        return np.asarray(image).astype(np.uint16)


def brightness(path: Path, *, where: str) -> float:
    """How bright the brighter parts of an image are: the 99th percentile of its grey values, 0..255.

    Decoded as small as the format allows. Raises S3DError if the image cannot be read.
    """
    with _opened(path, "image", where) as image:
        image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
        _decode(image, path, "image", where)
        return float(np.percentile(np.asarray(image.convert("L")), 99))


def read_grey(path: Path, longer_side: int, *, where: str) -> UInt8[np.ndarray, "h w"]:
    """An image in grey, made small while it is decoded as far as its format can, to `longer_side` pixels or a little more.

    Raises S3DError if the image cannot be read.
    """
    with _opened(path, "image", where) as image:
        ratio = max(1.0, max(image.size) / longer_side)
        image.draft("L", (int(image.width / ratio), int(image.height / ratio)))
        _decode(image, path, "image", where)
        rest = max(1, max(image.size) // longer_side)
        return np.array(image.convert("L").reduce(rest))


def write_image(path: Path, pixels: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w"]) -> None:
    """Write 8-bit colours or grey (png, or jpg at quality 95), or 16-bit grey (png), as the suffix of `path` says.

    Raises:
        S3DError: the file system refuses.
    """
    with replacing(path, durable=False) as temporary:
        Image.fromarray(pixels).save(temporary, quality=95, compress_level=3)  # each format takes what it knows


def _opened(path: Path, content: Content, where: str) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, Image.DecompressionBombError) as error:
        raise _unreadable(path, content, where, error) from error


def _decode(image: Image.Image, path: Path, content: Content, where: str) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise _unreadable(path, content, where, error) from error


def _unreadable(path: Path, content: Content, where: str, error: Exception) -> S3DError:
    return S3DError(
        f"{where}: {path} cannot be read",
        why=f"it must be {_WANTED[content]}; the decoder says: {error}",
        fix="write the file again; it is damaged, cut short, or no image",
    )
