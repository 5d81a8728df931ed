"""How much an image and its neighbours look alike, if its surfaces lay where a hypothesis puts them.

A hypothesis is an inverse depth for every pixel. One number for all pixels is a plane before the camera; a map that follows
the surfaces lets the squares that are compared follow them too, so that slanted surfaces are compared as well as others.

Sources: R. Collins, "A space-sweep approach to true multi-image matching", CVPR 1996 (planes); S. B. Kang, R. Szeliski and
J. Chai, "Handling occlusions in dense multi-view stereo", CVPR 2001 (the better half of the neighbours decides).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from s3d_splat.geometry.cameras import scaled
from s3d_splat.types import Camera

WINDOW = 5  # pixels: edge of the squares that are compared
_FLAT = 2.0  # grey levels: squares of a smaller standard deviation tell little
_OUTSIDE = -1e6  # grey level that no square can hide
_UNSEEN = np.float32(-2.0)  # below every correlation

Grey = Float32[np.ndarray, "h w"]  # 0..255
Map = Float32[np.ndarray, "h w"]


@dataclass(frozen=True)
class SeenView:
    """The grey image that a camera took, and the pixels of it that count."""

    camera: Camera
    grey: Grey
    mask: Bool[np.ndarray, "h w"] | None = None

    def shrunk(self, size: int) -> SeenView:
        """The view with a longer side of at most `size` pixels."""
        factor = size / max(self.grey.shape)
        if factor >= 1:
            return self
        camera = scaled(self.camera, factor)
        to = (camera.width, camera.height)
        mask = None if self.mask is None else cv2.resize(self.mask.astype(np.uint8), to, interpolation=cv2.INTER_NEAREST) > 0
        return SeenView(camera, cv2.resize(self.grey, to, interpolation=cv2.INTER_AREA), mask)


def likeness(view: SeenView, others: Sequence[SeenView], hypotheses: Sequence[float | Map]) -> Float32[np.ndarray, "d h w"]:
    """Zero-mean normalised cross-correlation of the squares of a view with those of its neighbours.

    It is the mean over the better half of the neighbours that see the place, for something may stand before it in the
    others. Squares without texture are alike by 0.

    Args:
        hypotheses: inverse depths along z: of all pixels, or of each.

    Returns:
        The likeness (-1..1; 0 where no neighbour sees the place) under each hypothesis.
    """
    squares = _Squares.of(view.grey)
    warps = [_Warp.between(view.camera, other) for other in others]
    result = np.empty((len(hypotheses), *view.grey.shape), np.float32)
    for number, inverse in enumerate(hypotheses):
        result[number] = _mean_of_better_half([squares.correlation(*warp.moved(inverse)) for warp in warps])
    return result


def intrinsics(camera: Camera) -> Float[np.ndarray, "3 3"]:
    """The matrix of a camera in OpenCV's convention: the centre of the first pixel is at 0."""
    return np.array([[camera.fx, 0.0, camera.cx - 0.5], [0.0, camera.fy, camera.cy - 0.5], [0.0, 0.0, 1.0]])


def pose(camera: Camera) -> Float[np.ndarray, "4 4"]:
    """T_world_camera as an array."""
    return camera.T_world_camera.double().numpy()


@dataclass(frozen=True)
class Transfer:
    """Where the pixels of a camera lie in another one: (directions + inverse depth x shift), before the division."""

    directions: tuple[Map, Map, Map]
    shift: tuple[float, float, float]

    @staticmethod
    def between(camera: Camera, other: Camera) -> Transfer:
        """The transfer from the pixel centres of `camera`."""
        T_other_camera = np.linalg.inv(pose(other)) @ pose(camera)
        turn = intrinsics(other) @ T_other_camera[:3, :3] @ np.linalg.inv(intrinsics(camera))
        rows, columns = np.mgrid[: camera.height, : camera.width].astype(np.float32)
        first, second, third = (np.float32(a) * columns + np.float32(b) * rows + np.float32(c) for a, b, c in turn)
        x, y, z = (intrinsics(other) @ T_other_camera[:3, 3]).tolist()
        return Transfer((first, second, third), (x, y, z))

    def pixels(self, inverse: float | Map) -> tuple[Map, Map, Map]:
        """Column and row (first pixel centred at 0), and the depth along z as a share of this camera's.

        Where that share is not positive the place is behind the other camera, and the position is far outside.
        """
        (first, second, third), (x, y, z) = self.directions, self.shift
        share = third + inverse * np.float32(z)
        behind = share <= 1e-6
        divisor = np.where(behind, np.float32(1), share)
        column, row = (first + inverse * np.float32(x)) / divisor, (second + inverse * np.float32(y)) / divisor
        column[behind] = -1e4
        return column, row, share


@dataclass(frozen=True)
class _Warp:
    """A neighbour's image as the view would see it."""

    transfer: Transfer
    grey: Grey

    @staticmethod
    def between(camera: Camera, other: SeenView) -> _Warp:
        grey = other.grey if other.mask is None else np.where(other.mask, other.grey, np.float32(_OUTSIDE))
        return _Warp(Transfer.between(camera, other.camera), grey)

    def moved(self, inverse: float | Map) -> tuple[Grey, Map]:
        """The moved image, and its mean over the squares, which is far below 0 where squares are not seen as a whole."""
        column, row, _ = self.transfer.pixels(inverse)
        moved = cv2.remap(
            self.grey, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(_OUTSIDE,) * 4
        )
        return moved, _mean(moved)


@dataclass(frozen=True)
class _Squares:
    """What the squares of the view are compared by, computed once for all hypotheses."""

    grey: Grey
    mean: Grey
    variance: Grey

    @staticmethod
    def of(grey: Grey) -> _Squares:
        mean = _mean(grey)
        return _Squares(grey, mean, _variance(grey, mean))

    def correlation(self, moved: Grey, mean: Grey) -> Map:
        """Of every square with the one of a moved image; `_UNSEEN` where that is not known as a whole."""
        unseen = mean < -1.0
        floor = np.float32(_FLAT**2)
        covariance = _mean(self.grey * moved) - self.mean * mean
        found = covariance / np.sqrt((self.variance + floor) * (_variance(moved, mean) + floor))
        return np.where(unseen, _UNSEEN, found)


def _mean(values: Grey) -> Grey:
    return cv2.boxFilter(values, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)


def _variance(values: Grey, mean: Grey) -> Grey:
    return np.maximum(_mean(values * values) - mean * mean, 0)


def _mean_of_better_half(layers: Sequence[Map]) -> Map:
    """The mean of the largest values, by passes of a bubble sort (each as fast as arithmetic); 0 where all are unseen."""
    ordered, seen = list(layers), sum((layer > _UNSEEN).astype(np.float32) for layer in layers)
    wanted = np.ceil(seen / 2)
    total = np.zeros_like(layers[0])
    for place in range((len(ordered) + 1) // 2):
        for below in range(len(ordered) - 1, place, -1):
            upper = np.maximum(ordered[below - 1], ordered[below])
            ordered[below] = np.minimum(ordered[below - 1], ordered[below])
            ordered[below - 1] = upper
        total += np.where(place < wanted, ordered[place], np.float32(0))
    return total / np.maximum(wanted, 1)
