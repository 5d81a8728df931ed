"""What a network says of the images of a cluster, and how it is carried into the images as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

Network = Callable[[Float32[np.ndarray, "n 3 h w"]], "Prediction"]
"""Takes all images of a cluster, prepared, of one size."""


@dataclass(frozen=True)
class Prediction:
    """Of n images of one size, in a gauge of the network's own: any unit of length."""

    depth: Float32[np.ndarray, "n h w"]  # along z, > 0
    confidence: Float32[np.ndarray, "n h w"]  # 0..1
    T_camera_cluster: Float[np.ndarray, "n 4 4"]
    intrinsics: Float[np.ndarray, "n 3 3"]  # pixels of the prepared image, pixel centres at +0.5


@dataclass(frozen=True)
class Fit:
    """How an image was made into what the network sees: scaled to `width` x `height`, then cut to the common size."""

    width: int
    height: int
    left: int  # pixels of the scaled image that were cut off
    top: int

    def whole(self, values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "H W"]:
        """Values of the network's pixels in the scaled image, 0 where it was cut."""
        placed = np.zeros((self.height, self.width), np.float32)
        placed[self.top : self.top + values.shape[0], self.left : self.left + values.shape[1]] = values
        return placed

    def camera(self, intrinsics: Float[np.ndarray, "3 3"], width: int, height: int) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy for the image of `width` x `height` from which it was made."""
        across, down = width / self.width, height / self.height
        fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2] + self.left, intrinsics[1, 2] + self.top
        return float(fx * across), float(fy * down), float(cx * across), float(cy * down)


def fits(sizes: list[tuple[int, int]], longest: int, patch: int) -> tuple[list[Fit], tuple[int, int]]:
    """How images of any size (width, height) become images of one size, whose sides are multiples of `patch`.

    Each is scaled so that its longer side is about `longest`; where that leaves several sizes, the middle of each remains.

    Returns:
        A fit for each image, and the common width and height.
    """
    scaled = [tuple(max(patch, patch * round(side * longest / max(size) / patch)) for side in size) for size in sizes]
    width, height = (min(size[axis] for size in scaled) for axis in (0, 1))
    return [Fit(w, h, (w - width) // 2, (h - height) // 2) for w, h in scaled], (width, height)
