"""The proxy cloud that training starts from: fused from the depth of training frames, thinned, noisy, without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from s3d_splat.synthetic.render import Pinhole

NOISE = 0.01  # metres along the ray
OUTLIERS = 0.02  # share of points at a wrong depth
POINTS_PER_ROOM = 50_000
_STRIDE = 2  # every second pixel of a row and of a column


@dataclass(frozen=True)
class ProxyCloud:
    """World points (metres) with colours 0..255."""

    points: Float[np.ndarray, "n 3"]
    colours: UInt8[np.ndarray, "n 3"]


class ProxyFusion:
    """Collects the depth of one training frame after the other."""

    def __init__(self, camera: Pinhole) -> None:
        rows, columns = np.mgrid[_STRIDE // 2 : camera.height : _STRIDE, _STRIDE // 2 : camera.width : _STRIDE]
        self._rows, self._columns = rows.ravel(), columns.ravel()
        x = (self._columns + 0.5 - camera.cx) / camera.fx
        y = (self._rows + 0.5 - camera.cy) / camera.fy
        self._rays = np.stack([x, y, np.ones_like(x)], 1)
        self._points: list[Float[np.ndarray, "n 3"]] = []
        self._eyes: list[Float[np.ndarray, "n 3"]] = []
        self._colours: list[UInt8[np.ndarray, "n 3"]] = []

    def add(
        self, T_world_camera: Float[np.ndarray, "4 4"], depth: Float[np.ndarray, "h w"], image: UInt8[np.ndarray, "h w 3"]
    ) -> None:
        """A training frame as it is given: its pose, depth (metres along z, 0 = none) and colours."""
        z = depth[self._rows, self._columns]
        known = z > 0
        local = self._rays[known] * z[known, None]
        self._points.append((local @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]).astype(np.float32))
        self._eyes.append(np.broadcast_to(T_world_camera[:3, 3].astype(np.float32), (len(local), 3)))
        self._colours.append(image[self._rows[known], self._columns[known]])

    def cloud(self, target: int, rng: np.random.Generator) -> ProxyCloud:
        """About `target` points, one measured pixel for each voxel; then noise along the rays and outliers."""
        points, eyes = np.concatenate(self._points), np.concatenate(self._eyes)
        shuffled = rng.permutation(len(points))
        chosen = shuffled[_thinned(points[shuffled], target)]
        rays = points[chosen].astype(np.float64) - eyes[chosen]
        length = np.linalg.norm(rays, axis=1, keepdims=True)
        measured = length + rng.normal(0, NOISE, length.shape)
        wrong = rng.random(length.shape) < OUTLIERS
        measured = np.where(wrong, length * rng.uniform(0.3, 1.3, length.shape), measured)
        world = eyes[chosen] + rays / np.maximum(length, 1e-9) * measured
        return ProxyCloud(world.astype(np.float32), np.concatenate(self._colours)[chosen])


def _thinned(points: Float[np.ndarray, "n 3"], target: int) -> Int[np.ndarray, " k"]:
    """The first point of every voxel, the voxel's size chosen by bisection to keep about `target` points."""
    small, large = 0.01, 0.30
    first = np.arange(len(points))
    if len(points) <= target:
        return first
    for _ in range(10):
        size = np.sqrt(small * large)
        first = _first_in_voxel(points, float(size))
        if abs(len(first) - target) < 0.02 * target:
            break
        small, large = (size, large) if len(first) > target else (small, size)
    return first


def _first_in_voxel(points: Float[np.ndarray, "n 3"], size: float) -> Int[np.ndarray, " k"]:
    cell = np.floor((points - points.min(0)) / size).astype(np.int64)
    extent = cell.max(0) + 1
    key = (cell[:, 0] * extent[1] + cell[:, 1]) * extent[2] + cell[:, 2]
    _, first = np.unique(key, return_index=True)
    return first
