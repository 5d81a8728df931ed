"""Small videos, written with PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

QUARTERS = ((255, 0, 0), (0, 0, 255), (0, 255, 0), (128, 128, 128))  # top left, top right, bottom left, bottom right


def quarters(width: int = 64, height: int = 48) -> np.ndarray:
    """Four plain quarters, so that turns and mirrors show."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    halves = ((slice(None, height // 2), slice(height // 2, None)), (slice(None, width // 2), slice(width // 2, None)))
    for number, colour in enumerate(QUARTERS):
        image[halves[0][number // 2], halves[1][number % 2]] = colour
    return image


def blurred_but(sharp: Iterable[int], count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Images of which those named show a fine pattern, the others even grey; the grey of image k is 60 + k."""
    grey = [np.full((height, width, 3), 60 + number, dtype=np.uint8) for number in range(count)]
    for number in sharp:
        grey[number][::4, ::4] = 255
    return grey


def write_video(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    rate: int = 10,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    frames: Sequence[Any] | None = None,
) -> Path:
    """A video of 8-bit images, or of ready frames of FFmpeg."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        ready = frames or [av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24") for image in images]
        stream.width, stream.height, stream.pix_fmt = ready[0].width, ready[0].height, pixels
        if codec == "libx264":
            stream.options = {"crf": "10", "preset": "ultrafast"}
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if frames:
            for name in ("colorspace", "color_range", "color_trc", "color_primaries"):
                setattr(stream.codec_context, name, getattr(ready[0], name))
        for frame in ready:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
