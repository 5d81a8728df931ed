"""Square pictures of an object in a view, for encoders that look at squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

_FILL = np.array([123, 117, 104], dtype=np.uint8)  # the mean colour of photographs, which encoders take for nothing


@dataclass(frozen=True)
class CropStyle:
    """How a crop is cut: its edge, in longer edges of the object's box, and whether what is around the object stays."""

    scale: float
    background: bool


def crop_box(mask: Bool[np.ndarray, "h w"], scale: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (pixels, the last two exclusive) of a square about a mask; it may reach over the picture.

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("an empty mask has no box")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    edge = max(int(np.ceil(scale * max(bottom - top, right - left))), 1)
    left, top = (int(np.floor((low + high - edge) / 2)) for low, high in ((left, right), (top, bottom)))
    return left, top, left + edge, top + edge


def crop(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], box: tuple[int, int, int, int], background: bool
) -> UInt8[np.ndarray, "s s 3"]:
    """The square of `box`; outside of the picture, and without `background` outside of the mask, it is grey."""
    left, top, right, bottom = box
    height, width = mask.shape
    inner = (slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width)))
    result = np.empty((bottom - top, right - left, 3), dtype=np.uint8)
    result[:] = _FILL
    target = result[
        inner[0].start - top : inner[0].stop - top,
        inner[1].start - left : inner[1].stop - left,
    ]
    shown = image[inner] if background else np.where(mask[inner][..., None], image[inner], _FILL)
    target[:] = shown
    return result


def crops_of(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], styles: Sequence[CropStyle]
) -> list[tuple[tuple[int, int, int, int], bool, UInt8[np.ndarray, "s s 3"]]]:
    """For each style the box, whether the background stays, and the picture."""
    boxes = [crop_box(mask, style.scale) for style in styles]
    return [
        (box, style.background, crop(image, mask, box, style.background)) for box, style in zip(boxes, styles, strict=True)
    ]
