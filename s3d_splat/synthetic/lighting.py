"""Light that does not depend on the view, kept at the vertices: soft shadows of lamp and window, ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from s3d_splat.synthetic.shell import Building
from s3d_splat.synthetic.world import RayCaster, World

_AMBIENT = np.array([0.36, 0.36, 0.38])
_LAMP = np.array([1.45, 1.33, 1.12])  # a warm square under the ceiling
_WINDOW = np.array([1.15, 1.35, 1.6])  # daylight
_OCCLUSION_REACH = 0.9  # metres within which a surface keeps ambient light away


@dataclass(frozen=True)
class AreaLight:
    """A rectangle that shines along `normal`."""

    corners: Float[np.ndarray, "s 3"]  # sample points, evenly spread
    normal: Float[np.ndarray, " 3"]
    power: Float[np.ndarray, " 3"]


@dataclass(frozen=True)
class BakedLight:
    """Irradiance (RGB) and the visible share of the nearest lamp, at every vertex."""

    irradiance: Float[np.ndarray, "n 3"]
    lamp_share: Float[np.ndarray, " n"]


def lamp_positions(building: Building) -> Float[np.ndarray, "r 3"]:
    """The middle of the ceiling lamp of each room."""
    pairs = zip(building.rooms, building.offsets, strict=True)
    return np.array([[x + room.width / 2, room.depth / 2, room.height - 0.12] for room, x in pairs])


def bake(world: World, building: Building, caster: RayCaster) -> BakedLight:
    """Light at every vertex, from sample points that are the same for all vertices, so that shadows are smooth."""
    origins = _lifted(world)
    irradiance = _AMBIENT * _openness(origins, world.normals, caster)[:, None]
    lamp_share = np.zeros(len(origins))
    for light, is_lamp in _lights(building):
        reach = np.linalg.norm(origins - light.corners.mean(0), axis=1) < 7.0
        received, share = _received(origins[reach], world.normals[reach], light, caster)
        irradiance[reach] += received[:, None] * light.power
        if is_lamp:
            lamp_share[reach] = np.maximum(lamp_share[reach], share)
    return BakedLight(irradiance, lamp_share)


def _lifted(world: World) -> Float[np.ndarray, "n 3"]:
    """Vertices moved off their surface and a little into their faces, so that rays do not start in a neighbouring wall."""
    corners = world.vertices[world.faces]
    inward = np.zeros_like(world.vertices)
    count = np.zeros(len(world.vertices))
    for k in range(3):
        np.add.at(inward, world.faces[:, k], corners.mean(1) - corners[:, k])
        np.add.at(count, world.faces[:, k], 1.0)
    return world.vertices + 0.25 * inward / np.maximum(count, 1.0)[:, None] + 0.004 * world.normals


def _lights(building: Building) -> list[tuple[AreaLight, bool]]:
    lights = []
    for (room, x), lamp in zip(zip(building.rooms, building.offsets, strict=True), lamp_positions(building), strict=True):
        square = _rectangle(lamp, np.array([0.45, 0, 0]), np.array([0, 0.45, 0]))
        lights.append((AreaLight(square, np.array([0.0, 0, -1]), _LAMP), True))
        across = np.cross(room.window_normal, [0, 0, 1.0])
        pane = room.window_centre + room.window_normal * 0.2 + np.array([x, 0, 0])
        lights.append((AreaLight(_rectangle(pane, 0.7 * across, np.array([0, 0, 0.5])), room.window_normal, _WINDOW), False))
    if len(building.rooms) > 1:
        end = building.offsets[-1] + building.rooms[-1].width
        for spot in np.arange(1.5, end, 3.0):
            square = _rectangle(np.array([spot, -1.0, 2.4]), np.array([0.4, 0, 0]), np.array([0, 0.3, 0]))
            lights.append((AreaLight(square, np.array([0.0, 0, -1]), 0.5 * _LAMP), False))
    return lights


def _rectangle(
    centre: Float[np.ndarray, " 3"], half_u: Float[np.ndarray, " 3"], half_v: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "s 3"]:
    """Sixteen sample points on a rectangle (a rank-1 lattice)."""
    k = np.arange(16)
    a, b = (k + 0.5) / 16 * 2 - 1, ((k * 7) % 16 + 0.5) / 16 * 2 - 1
    return centre + a[:, None] * half_u + b[:, None] * half_v


def _received(
    origins: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], light: AreaLight, caster: RayCaster
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Cosine-weighted light, softened near the source, and the share of the light's samples that are in sight."""
    received, share = np.zeros(len(origins)), np.zeros(len(origins))
    for sample in light.corners:
        towards = sample - origins
        length = np.linalg.norm(towards, axis=1)
        facing = np.maximum((towards * normals).sum(1) / length, 0.0)
        emitted = np.maximum(-(towards @ light.normal) / length, 0.0)
        weight = facing * (0.25 + 0.75 * emitted) / (0.45 + 0.2 * length**2)
        weight[(towards @ light.normal) > 0] = 0.0
        lit = np.flatnonzero(weight > 0)
        free = caster.distances(origins[lit], towards[lit]) > 0.97
        received[lit[free]] += weight[lit[free]]
        share[lit[free]] += 1.0
    return received / len(light.corners), share / len(light.corners)


def _openness(
    origins: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], caster: RayCaster
) -> Float[np.ndarray, " n"]:
    """1 minus the ambient occlusion, over 16 cosine-weighted directions round the normal."""
    helper = np.where(np.abs(normals[:, 2:]) > 0.9, np.array([[1.0, 0, 0]]), np.array([[0, 0, 1.0]]))
    side = np.cross(normals, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(normals, side)
    openness = np.zeros(len(origins))
    for k in range(16):
        radius, angle = np.sqrt((k + 0.5) / 16), k * 2.399963
        direction = radius * (np.cos(angle) * side + np.sin(angle) * other) + np.sqrt(1 - radius**2) * normals
        openness += np.minimum(caster.distances(origins, direction) / _OCCLUSION_REACH, 1.0)
    return 0.25 + 0.75 * openness / 16
