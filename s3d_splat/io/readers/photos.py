"""Photos as cameras and phones write them: turned by a tag, in several sizes, in formats that few programs read."""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing
from s3d_splat.io.images import open_image
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.conversions import run_all
from s3d_splat.io.readers.names import is_image
from s3d_splat.types import CaptureView

_LOG = logging.getLogger("s3d_splat")
_OTHERS = (".heic", ".heif", ".avif", ".webp", ".tif", ".tiff", ".bmp", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf")
_ORIENTATION = 0x0112  # the EXIF tag; 1: as stored, 2 to 8: mirrored or turned
_ON_ITS_SIDE = 5  # from here on width and height change places


def is_other_photo(name: str) -> bool:
    """Whether a file is called like a photo of a format that is not read."""
    return not name.startswith(".") and name.lower().endswith(_OTHERS)


def has_photos(folder: Path) -> bool:
    """Whether photos lie in a folder itself, of formats that are read or not."""
    return folder.is_dir() and any(is_image(path.name) or is_other_photo(path.name) for path in folder.iterdir())


def check_other_photos(paths: Iterable[Path], folder: Path, images: Sequence[str]) -> None:
    """Say what becomes of photos that are neither PNG nor JPEG: a warning, or, where there are no others, an error.

    Raises:
        S3DError: all photos are of formats that are not read.
    """
    kinds = Counter(path.suffix.lower() for path in paths if is_other_photo(path.name))
    if not kinds:
        return
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if images:
        _LOG.warning("%s: %s are passed over; images are read from .png and .jpg.", folder, said)
        return
    kind = max(kinds, key=lambda suffix: kinds[suffix])
    raise S3DError(
        f"{folder} has photos of another format alone: {said}",
        why="images are read from .png and .jpg",
        fix=f"convert them: magick mogrify -format jpg -quality 95 '{folder}/*{kind}' (ImageMagick);"
        " an iPhone takes JPEG after Settings > Camera > Formats > Most Compatible",
    )


def taken_upright(view: CaptureView) -> bool:
    """Whether an image must be turned: its EXIF data say so, and what is known of it does not belong to the stored pixels.

    Nothing is known of a plain photo. Where a camera is, its size tells, as far as it can.

    Raises:
        S3DError: the image cannot be read.
    """
    orientation, (width, height) = _orientation(view)
    if orientation == 1:
        return False
    files = (view.depth_path, view.confidence_path, view.instance_path, view.mask_path)
    if view.lens is None and view.T_cluster_camera is None and not any(files):
        return True
    stored = (height, width) if orientation >= _ON_ITS_SIDE else (width, height)
    return (view.width, view.height) == (width, height) != stored


def with_upright_images(views: Sequence[CaptureView], work: Path, advance: Advance | None = None) -> tuple[CaptureView, ...]:
    """The views, with upright copies below `work/images` of those images that must be turned."""
    turned = {view.name: _upright(view, work) for view in views if taken_upright(view)}
    run_all([partial(_write_upright, view, turned[view.name]) for view in views if view.name in turned], advance)
    return tuple(turned.get(view.name, view) for view in views)


def tell_sizes(views: Sequence[CaptureView]) -> None:
    """Say that images of several sizes whose cameras are not known are taken for as many cameras."""
    sizes = Counter((view.width, view.height) for view in views if view.lens is None)
    if len(sizes) > 1:
        said = ", ".join(f"{count} of {width}x{height}" for (width, height), count in sizes.most_common(5))
        _LOG.warning("The images have %d sizes (%s); each is taken for a camera of its own.", len(sizes), said)


def _orientation(view: CaptureView) -> tuple[int, tuple[int, int]]:
    """What the EXIF data say, and the size of the image when it is shown that way."""
    with open_image(view.image_path, where=view.name) as image:
        try:
            written = image.getexif().get(_ORIENTATION, 1) if image.format == "JPEG" else 1  # of a PNG it decodes everything
        except (OSError, SyntaxError, ValueError, struct.error):
            written = 1
        orientation = written if isinstance(written, int) and 1 <= written <= 8 else 1
        width, height = image.size
    return orientation, (height, width) if orientation >= _ON_ITS_SIDE else (width, height)


def _upright(view: CaptureView, work: Path) -> CaptureView:
    _, (width, height) = _orientation(view)
    return replace(view, image_path=work / "images" / view.name, width=width, height=height)


def _write_upright(old: CaptureView, new: CaptureView) -> None:
    """Write the turned image with its EXIF data (the focal length helps to find its camera), without the tag."""
    if new.image_path.exists():
        return
    with open_image(old.image_path, where=old.name) as image, replacing(new.image_path, durable=False) as temporary:
        shown: Image.Image = ImageOps.exif_transpose(image)
        shown.save(temporary, quality=95, exif=shown.getexif())
