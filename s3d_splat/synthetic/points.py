"""Exact labelled points on the surfaces, evenly spread, as far as a training camera sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.synthetic.render import Pinhole
from s3d_splat.synthetic.world import RayCaster, World

_BLOCK = 0.5  # metres: points are looked at by blocks, so that a view passes over the other rooms
_MARGIN = (1.1, 0.05)  # times the depth of a pixel, and metres more: depth changes within a pixel on slanted surfaces
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
        self._unseen = np.ones(len(points.xyz), dtype=bool)
        cell = np.floor(points.xyz / _BLOCK).astype(np.int32)
        lowest = cell.min(axis=0, initial=0)
        shape = (cell - lowest).max(axis=0, initial=0) + 1
        block = np.ravel_multi_index(tuple((cell - lowest).T), tuple(shape))
        order = np.argsort(block.astype(np.min_scalar_type(int(shape.prod()))), kind="stable")  # of 16 bits: linear time
        self._blocks = np.split(order, np.cumsum(np.bincount(block, minlength=int(shape.prod())))[:-1])
        self._middles = (np.indices(tuple(shape)).reshape(3, -1).T + lowest + 0.5) * _BLOCK

    def add_view(self, T_world_camera: Float[np.ndarray, "4 4"], depth: Float[np.ndarray, "h w"]) -> None:
        """Marks the points seen from a pose; `depth` (metres along z) of that view rules most hidden ones out at once."""
        rotation, eye = T_world_camera[:3, :3], T_world_camera[:3, 3]
        pending = self._in_view(rotation, eye, float(depth.max(initial=0.0)) * _MARGIN[0] + _MARGIN[1])
        local = (self._rough[pending] - eye.astype(np.float32)) @ rotation.astype(np.float32)
        z = np.maximum(local[:, 2], 1e-6)
        column = np.floor(self._camera.fx * local[:, 0] / z + self._camera.cx)
        row = np.floor(self._camera.fy * local[:, 1] / z + self._camera.cy)
        inside = (
            (local[:, 2] > 0.05) & (column >= 0) & (column < self._camera.width) & (row >= 0) & (row < self._camera.height)
        )
        candidates = np.flatnonzero(inside)
        nearby = depth[row[candidates].astype(int), column[candidates].astype(int)]
        # the rays decide
        candidates = candidates[local[candidates, 2] < nearby * _MARGIN[0] + _MARGIN[1]]
        chosen = pending[candidates]
        self._unseen[chosen[self._confirmed(chosen, eye)]] = False

    def _in_view(
        self, rotation: Float[np.ndarray, "3 3"], eye: Float[np.ndarray, " 3"], farthest: float
    ) -> Int[np.ndarray, " p"]:
        """Points that no view saw yet, of all blocks that reach into the view, not beyond `farthest` metres."""
        middle = (self._middles - eye) @ rotation
        camera, radius = self._camera, np.sqrt(3) / 2 * _BLOCK
        near = (middle[:, 2] > -radius) & (middle[:, 2] < farthest + radius)
        # Each side of the view is a plane through the eye; a block is outside if its middle is a radius beyond one.
        for axis, focal, start, size in ((0, camera.fx, camera.cx, camera.width), (1, camera.fy, camera.cy, camera.height)):
            for sign, reach in ((-1, start), (1, size - start)):
                beyond = (sign * middle[:, axis] * focal - middle[:, 2] * reach) / np.hypot(focal, reach)
                near &= beyond < radius
        parts = []
        for block in np.flatnonzero(near):
            self._blocks[block] = self._blocks[block][self._unseen[self._blocks[block]]]
            parts.append(self._blocks[block])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def _confirmed(self, index: Int[np.ndarray, " k"], eye: Float[np.ndarray, " 3"]) -> Int[np.ndarray, " s"]:
        towards = self._points.xyz[index] - eye
        hits = self._caster.cast(np.broadcast_to(eye, towards.shape), towards)
        missed = (1 - hits.distance) * np.linalg.norm(towards, axis=1)
        same = self._instance[hits.face] == self._instance[self._points.face[index]]
        return np.flatnonzero((hits.face >= 0) & (np.abs(missed) < 1e-3) & same)

    def seen(self) -> Int[np.ndarray, " s"]:
        """The points that some view saw, in ascending order."""
        return np.flatnonzero(~self._unseen)
