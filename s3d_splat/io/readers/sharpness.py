"""The sharpest image of each part of a sequence: blur by motion is what spoils structure from motion and training most.

The measure is the variance of the Laplacian of the grey image (Pech-Pacheco et al., ICPR 2000), on images made small, which
takes out noise. It is compared only between neighbours in time, which show nearly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_grey
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.options import FrameChoice

SMALL = 480  # pixels of the longer side at which sharpness is measured, at least

Item = TypeVar("Item")


def sharpness(grey: UInt8[np.ndarray, "h w"]) -> float:
    """The variance of the Laplacian."""
    import cv2

    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def choose(
    items: Sequence[Item], choice: FrameChoice, sharpness_of: Callable[[Item], float], advance: Advance | None = None
) -> list[Item]:
    """The sharpest item of each of `choice.count` equal parts of a sequence, in its order (of equals the first); all if it
    is no longer.

    Raises:
        S3DError: images for each second are asked for, which only a video can tell.
    """
    if choice.fps is not None:
        raise S3DError(
            f"--fps {choice.fps:g} was given, but the capture is no video",
            why="nobody knows how many of its images belong to a second",
            fix="say with --frames how many images to take",
        )
    if choice.count is None or choice.count >= len(items):
        return list(items)
    scores = []
    for index, item in enumerate(items):
        scores.append(sharpness_of(item))
        if advance is not None:
            advance(index + 1, len(items))
    borders = [part * len(items) // choice.count for part in range(choice.count + 1)]
    parts = (range(*pair) for pair in pairwise(borders))
    return [items[max(part, key=scores.__getitem__)] for part in parts]


def file_sharpness(path: Path) -> float:
    """The sharpness of an image file, decoded as small as its format allows. Raises S3DError if it cannot be read."""
    return sharpness(read_grey(path, SMALL, where=path.name))
