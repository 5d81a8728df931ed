"""The hand-held walk: smooth, through every room, coming back to what it saw."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from s3d_splat.synthetic.shell import CORRIDOR_WIDTH, WALL_THICKNESS, Building

_Waypoints = list[tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]]  # (eye, what it looks at)


def walk(building: Building, frames: int, rng: np.random.Generator) -> Float[np.ndarray, "f 4 4"]:
    """Camera-to-world poses (OpenCV axes, metres) of a walk through the building.

    In each room the camera goes round and looks across, so that it sees every wall from the other side; in a single
    room it goes round twice. In a corridor of rooms it comes back to the first room at the end.
    """
    waypoints = _single_room(building, rng) if len(building.rooms) == 1 else _all_rooms(building, rng)
    eyes, targets = (np.array(points) for points in zip(*waypoints, strict=True))
    stations = np.arange(len(eyes))
    times = np.linspace(0, len(eyes) - 1, frames)
    eye = CubicSpline(stations, eyes)(times) + 0.015 * _wobble(frames, rng)
    target = CubicSpline(stations, targets)(times) + 0.035 * _wobble(frames, rng)
    roll = np.deg2rad(1.2) * _wobble(frames, rng)[:, 0]
    return np.stack([_look(e, t, r) for e, t, r in zip(eye, target, roll, strict=True)])


def _wobble(frames: int, rng: np.random.Generator) -> Float[np.ndarray, "f 3"]:
    """Smooth unsteadiness of about unit size."""
    time = np.arange(frames)[:, None]
    waves = [np.sin(2 * np.pi * (time / period + rng.uniform(0, 1, 3))) for period in (61.0, 29.0, 13.0)]
    return sum(wave * size for wave, size in zip(waves, (0.9, 0.7, 0.35), strict=True))


def _look(eye: Float[np.ndarray, " 3"], target: Float[np.ndarray, " 3"], roll: float) -> Float[np.ndarray, "4 4"]:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    pose[:3, 1] = np.cos(roll) * down - np.sin(roll) * right
    pose[:3, 2] = forward
    pose[:3, 3] = eye
    return pose


def _round(
    building: Building, room_index: int, start: float, turns: float, sweep: float, height: float, rng: np.random.Generator
) -> _Waypoints:
    """Stations on an ellipse through one room; the camera looks across it, `sweep` radians beside the opposite point."""
    room, x0 = building.rooms[room_index], building.offsets[room_index]
    centre = np.array([x0 + room.width / 2, room.depth / 2, 0.0])
    half = np.array([room.width / 2 - 1.0, room.depth / 2 - 0.95])
    stations: _Waypoints = []
    for k in range(max(2, round(abs(turns) * 12))):
        angle = start + 2 * np.pi * k / 12 * np.sign(turns)
        aim = angle + np.pi - sweep
        eye = centre + np.array([half[0] * np.cos(angle), half[1] * np.sin(angle), height + rng.uniform(-0.08, 0.08)])
        look = centre + np.array(
            [1.3 * half[0] * np.cos(aim), 1.3 * half[1] * np.sin(aim), 0.75 + 0.25 * np.sin(2 * angle + 1)]
        )
        stations.append((eye, look))
    return stations


def _single_room(building: Building, rng: np.random.Generator) -> _Waypoints:
    start = rng.uniform(0, 2 * np.pi)
    first = _round(building, 0, start, 1.0, 0.5, 1.5, rng)
    second = _round(building, 0, start, 13 / 12, -0.5, 1.3, rng)
    return first + second


def _all_rooms(building: Building, rng: np.random.Generator) -> _Waypoints:
    middle = -WALL_THICKNESS - CORRIDOR_WIDTH / 2
    stations: _Waypoints = []
    for k in [*range(len(building.rooms)), 0]:
        room, x0 = building.rooms[k], building.offsets[k]
        door_x = x0 + room.door.x
        inside = np.array([x0 + room.width / 2, room.depth / 2, 0.9])
        hall = np.array([door_x, middle, 1.5])
        towards = np.sign(hall[0] - stations[-1][0][0]) if stations else 1.0
        stations.append((hall - np.array([towards * 0.6, 0, 0]), hall + np.array([towards * 1.5, 0.2, -0.4])))
        stations.append((hall, inside))
        stations.append((np.array([door_x, 0.35, 1.5]), inside))
        aside = np.arctan2(1.0 - room.depth / 2, door_x - inside[0])
        turn = 1.0 if room.door.x < room.width / 2 else -1.0
        stations += _round(building, k, aside + 0.2 * turn, 0.92 * turn, 0.4 * turn, 1.45, rng)
        stations.append((np.array([door_x, 0.45, 1.5]), np.array([door_x, middle, 1.2])))
        stations.append((hall + np.array([0, 0.1, 0]), hall + np.array([0.9, -1.2, -0.3])))
    return stations
