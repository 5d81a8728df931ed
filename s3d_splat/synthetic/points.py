"""Exact labelled points on the surfaces, evenly spread, as far as a training camera sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.synthetic.render import Pinhole
from s3d_splat.synthetic.world import RayCaster, World

DENSITY = 10_500.0  # points per square metre: a little over one per cm2


@dataclass(frozen=True)
class SurfacePoints:
    """Points with the face they lie on."""

    xyz: Float[np.ndarray, "n 3"]  # metres
    face: Int[np.ndarray, " n"]


def surface_points(world: World, rng: np.random.Generator) -> SurfacePoints:
    """Points uniform by area: equal steps along the faces' cumulated area, so that every patch gets its exact share."""
    corners = world.vertices[world.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    reached = np.cumsum(area)
    steps = (np.arange(int(reached[-1] * DENSITY)) + rng.random()) / DENSITY
    face = np.minimum(np.searchsorted(reached, steps), len(area) - 1)
    a, b = rng.random((2, len(face), 1))
    outside = a + b > 1
    a, b = np.where(outside, 1 - a, a), np.where(outside, 1 - b, b)
    first, second, third = (corners[face, k] for k in range(3))
    return SurfacePoints(first + a * (second - first) + b * (third - first), face.astype(np.int32))


class VisibilityFilter:
    """Collects which points the cameras see: each candidate is confirmed by a ray from the camera to the point."""

    def __init__(self, world: World, points: SurfacePoints, camera: Pinhole, caster: RayCaster) -> None:
        self._points, self._camera, self._caster = points, camera, caster
        self._rough = points.xyz.astype(np.float32)  # enough to choose candidates
        self._instance = world.face_instance
        self._pending = np.arange(len(points.xyz))

    def add_view(self, T_world_camera: Float[np.ndarray, "4 4"], depth: Float[np.ndarray, "h w"]) -> None:
        """Marks the points seen from a pose; `depth` (metres along z) of that view rules most hidden ones out at once."""
        rotation, eye = T_world_camera[:3, :3], T_world_camera[:3, 3]
        local = (self._rough[self._pending] - eye.astype(np.float32)) @ rotation.astype(np.float32)
        z = np.maximum(local[:, 2], 1e-6)
        column = np.floor(self._camera.fx * local[:, 0] / z + self._camera.cx)
        row = np.floor(self._camera.fy * local[:, 1] / z + self._camera.cy)
        inside = (
            (local[:, 2] > 0.05) & (column >= 0) & (column < self._camera.width) & (row >= 0) & (row < self._camera.height)
        )
        candidates = np.flatnonzero(inside)
        nearby = depth[row[candidates].astype(int), column[candidates].astype(int)]
        # a wide margin, because depth changes within a pixel on slanted surfaces; the rays decide
        candidates = candidates[local[candidates, 2] < nearby * 1.1 + 0.05]
        seen = self._confirmed(self._pending[candidates], eye)
        self._pending = np.delete(self._pending, candidates[seen])

    def _confirmed(self, index: Int[np.ndarray, " k"], eye: Float[np.ndarray, " 3"]) -> Int[np.ndarray, " s"]:
        towards = self._points.xyz[index] - eye
        hits = self._caster.cast(np.broadcast_to(eye, towards.shape), towards)
        missed = (1 - hits.distance) * np.linalg.norm(towards, axis=1)
        same = self._instance[hits.face] == self._instance[self._points.face[index]]
        return np.flatnonzero((hits.face >= 0) & (np.abs(missed) < 1e-3) & same)

    def seen(self) -> Int[np.ndarray, " s"]:
        """The points that some view saw, in ascending order."""
        mask = np.ones(len(self._points.xyz), dtype=bool)
        mask[self._pending] = False
        return np.flatnonzero(mask)
