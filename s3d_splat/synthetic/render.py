"""Colour, depth and instance images of the world: shading where rays hit, four rays a pixel for colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from s3d_splat.synthetic.lighting import BakedLight
from s3d_splat.synthetic.textures import albedo
from s3d_splat.synthetic.world import Hits, RayCaster, World

_SUBPIXELS = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
_SHININESS = 40.0


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics shared by all frames, pixels; pixel centres at +0.5."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


@dataclass(frozen=True)
class RenderedFrame:
    """One exact view; labels and depth belong to the ray through the pixel's centre."""

    image: UInt8[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]  # metres along z, 0 = nothing hit
    instances: Int[np.ndarray, "h w"]  # 0 = nothing hit


class Renderer:
    """Ray-casts views of one lit world; may be used by several threads at once."""

    def __init__(
        self, world: World, light: BakedLight, lamps: Float[np.ndarray, "r 3"], camera: Pinhole, caster: RayCaster
    ) -> None:
        self._world, self._camera, self._caster, self._lamps = world, camera, caster, lamps
        faces = world.faces
        self._uv = world.uv[faces].astype(np.float32)
        lit = np.concatenate([light.irradiance, light.lamp_share[:, None]], 1)
        self._light = lit[faces].astype(np.float32)
        self._normals = world.normals[faces].astype(np.float32)
        self._centres = _ray_grid(camera, ((0.5, 0.5),))
        self._subpixels = _ray_grid(camera, _SUBPIXELS)

    def render(self, T_world_camera: Float[np.ndarray, "4 4"]) -> RenderedFrame:
        """The view from one pose (OpenCV axes)."""
        depth, instances = self.measure(T_world_camera)
        samples, directions = self._cast(self._subpixels, T_world_camera)
        radiance = self._shade(samples, T_world_camera[:3, 3], directions).reshape(*depth.shape, len(_SUBPIXELS), 3).mean(2)
        display = np.clip(radiance, 0.0, 1.0) ** np.float32(1 / 2.2)
        return RenderedFrame(np.rint(display * 255).astype(np.uint8), depth, instances)

    def measure(self, T_world_camera: Float[np.ndarray, "4 4"]) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
        """Depth (metres along z) and instance ids of the view, without its colours."""
        shape = (self._camera.height, self._camera.width)
        hits, _ = self._cast(self._centres, T_world_camera)
        hit = hits.face >= 0
        # the rays' directions have z = 1 in the camera, so that a hit's distance is its depth
        depth = np.where(hit, hits.distance, 0.0).astype(np.float32).reshape(shape)
        return depth, np.where(hit, self._world.face_instance[hits.face], 0).astype(np.int32).reshape(shape)

    def _cast(
        self, rays: Float[np.ndarray, "n 3"], T_world_camera: Float[np.ndarray, "4 4"]
    ) -> tuple[Hits, Float[np.ndarray, "n 3"]]:
        directions = rays @ T_world_camera[:3, :3].T.astype(np.float32)
        origins = np.broadcast_to(T_world_camera[:3, 3].astype(np.float32), directions.shape)
        return self._caster.cast(origins, directions), directions

    def _shade(
        self, hits: Hits, eye: Float[np.ndarray, " 3"], directions: Float[np.ndarray, "n 3"]
    ) -> Float[np.ndarray, "n 3"]:
        """Linear radiance where rays hit, black where they do not; one texture after the other."""
        texture = np.where(hits.face >= 0, self._world.face_texture[hits.face], -1).astype(np.int16)
        order = np.argsort(texture, kind="stable")
        bounds = np.searchsorted(texture[order], np.arange(len(self._world.textures) + 1))
        radiance = np.zeros((len(texture), 3), dtype=np.float32)
        for k, paint in enumerate(self._world.textures):
            chosen = order[bounds[k] : bounds[k + 1]]
            if len(chosen) == 0:
                continue
            face, weights = hits.face[chosen], _weights(hits.barycentric[chosen])
            light = _mix(self._light[face], weights)
            base = albedo(paint, _mix(self._uv[face], weights))
            value = base * (light[:, :3] + np.float32(paint.glow))
            if paint.gloss > 0:
                at = eye.astype(np.float32) + directions[chosen] * hits.distance[chosen, None]
                normal = _mix(self._normals[face], weights)
                value += (np.float32(paint.gloss) * light[:, 3] * self._highlight(at, normal, directions[chosen]))[:, None]
            radiance[chosen] = value
        return radiance

    def _highlight(
        self, at: Float[np.ndarray, "n 3"], normal: Float[np.ndarray, "n 3"], direction: Float[np.ndarray, "n 3"]
    ) -> Float[np.ndarray, " n"]:
        """Blinn's highlight of the nearest lamp (Blinn 1977): the cosine of normal and half vector to a power."""
        nearest = np.argmin(((at[:1] - self._lamps) ** 2).sum(1))
        towards = self._lamps[nearest].astype(np.float32) - at
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        back = -direction / np.linalg.norm(direction, axis=1, keepdims=True)
        half = towards + back
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        cosine = np.abs((half * normal).sum(1)) / np.maximum(np.linalg.norm(normal, axis=1), 1e-6)
        return cosine.astype(np.float32) ** np.float32(_SHININESS)


def _ray_grid(camera: Pinhole, offsets: tuple[tuple[float, float], ...]) -> Float[np.ndarray, "n 3"]:
    """Directions with z = 1 in camera axes, row by row, all offsets of a pixel together."""
    y, x, k = np.meshgrid(np.arange(camera.height), np.arange(camera.width), np.arange(len(offsets)), indexing="ij")
    shift = np.array(offsets)
    u = (x + shift[k, 0] - camera.cx) / camera.fx
    v = (y + shift[k, 1] - camera.cy) / camera.fy
    return np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3).astype(np.float32)


def _weights(barycentric: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    first = 1 - barycentric[:, :1] - barycentric[:, 1:]
    return np.concatenate([first, barycentric], 1)


def _mix(corners: Float[np.ndarray, "n 3 c"], weights: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n c"]:
    """Values at the corners of a face, mixed for a point in it."""
    return corners[:, 0] * weights[:, :1] + corners[:, 1] * weights[:, 1:2] + corners[:, 2] * weights[:, 2:]
