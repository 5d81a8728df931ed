"""The hand-held walk: smooth, through every room, coming back to what it saw."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline, PchipInterpolator

from s3d_splat.synthetic.shell import CORRIDOR_WIDTH, WALL_THICKNESS, Building

_Stations = list[tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]]  # (eye, viewing direction of length 1)
_METRES_PER_RADIAN = 1.2  # a turn takes as long as this much walking


def walk(building: Building, frames: int, rng: np.random.Generator) -> Float[np.ndarray, "f 4 4"]:
    """Camera-to-world poses (OpenCV axes, metres) of a walk through the building.

    In each room the camera goes round and looks across, so that it sees every wall from the other side; in a single
    room it goes round twice. In a corridor of rooms it comes back to the first room at the end.
    """
    single = len(building.rooms) == 1
    stations = _single_room(building, rng) if single else _all_rooms(building, rng)
    # a cubic spline is the smoother one; a monotone one never swings wide of its stations, which doorways need
    curve = CubicSpline if single else PchipInterpolator
    eyes, views = (np.array(column) for column in zip(*stations, strict=True))
    turn = np.arccos(np.clip((views[1:] * views[:-1]).sum(1), -1, 1))
    effort = np.linalg.norm(np.diff(eyes, axis=0), axis=1) + _METRES_PER_RADIAN * turn
    clock = np.concatenate([[0.0], np.cumsum(effort)])
    times = np.linspace(0, clock[-1], frames)
    eye = curve(clock, eyes)(times) + 0.015 * _wobble(frames, rng)
    bearing = curve(clock, np.unwrap(np.arctan2(views[:, 1], views[:, 0])))(times)
    slope = curve(clock, views[:, 2] / np.hypot(views[:, 0], views[:, 1]))(times)
    view = np.stack([np.cos(bearing), np.sin(bearing), slope], 1) + 0.015 * _wobble(frames, rng)
    roll = np.deg2rad(1.2) * _wobble(frames, rng)[:, 0]
    return np.stack([_look(e, v, r) for e, v, r in zip(eye, view, roll, strict=True)])


def _wobble(frames: int, rng: np.random.Generator) -> Float[np.ndarray, "f 3"]:
    """Smooth unsteadiness of about unit size."""
    time = np.arange(frames)[:, None]
    waves = [np.sin(2 * np.pi * (time / period + rng.uniform(0, 1, 3))) for period in (61.0, 29.0, 13.0)]
    return sum(wave * size for wave, size in zip(waves, (0.9, 0.7, 0.35), strict=True))


def _look(eye: Float[np.ndarray, " 3"], view: Float[np.ndarray, " 3"], roll: float) -> Float[np.ndarray, "4 4"]:
    forward = view / np.linalg.norm(view)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    pose[:3, 1] = np.cos(roll) * down - np.sin(roll) * right
    pose[:3, 2] = forward
    pose[:3, 3] = eye
    return pose


def _station(eye: Float[np.ndarray, " 3"], target: Float[np.ndarray, " 3"]) -> tuple[np.ndarray, np.ndarray]:
    return eye, (target - eye) / np.linalg.norm(target - eye)


def _round(
    building: Building, room_index: int, start: float, turns: float, sweep: float, height: float, rng: np.random.Generator
) -> _Stations:
    """Stations on an ellipse through one room; the camera looks across it, `sweep` radians beside the opposite point."""
    room, x0 = building.rooms[room_index], building.offsets[room_index]
    centre = np.array([x0 + room.width / 2, room.depth / 2, 0.0])
    half = np.array([room.width / 2 - 1.0, room.depth / 2 - 0.95])
    stations: _Stations = []
    for k in range(max(2, round(abs(turns) * 12))):
        angle = start + 2 * np.pi * k / 12 * np.sign(turns)
        aim = angle + np.pi - sweep
        reach = 1.3 * half
        eye = centre + np.array([half[0] * np.cos(angle), half[1] * np.sin(angle), height + rng.uniform(-0.08, 0.08)])
        low = 0.75 + 0.25 * np.sin(2 * angle + 1)
        stations.append(_station(eye, centre + np.array([reach[0] * np.cos(aim), reach[1] * np.sin(aim), low])))
    return stations


def _single_room(building: Building, rng: np.random.Generator) -> _Stations:
    start = rng.uniform(0, 2 * np.pi)
    first = _round(building, 0, start, 1.0, 0.5, 1.5, rng)
    second = _round(building, 0, start, 13 / 12, -0.5, 1.3, rng)
    return first + second


def _all_rooms(building: Building, rng: np.random.Generator) -> _Stations:
    middle = -WALL_THICKNESS - CORRIDOR_WIDTH / 2
    stations: _Stations = []
    end = building.offsets[-1] + building.rooms[-1].width
    visits = [*range(len(building.rooms)), 0]
    for visit, k in enumerate(visits):
        room, x0 = building.rooms[k], building.offsets[k]
        door_x = x0 + room.door.x
        inside = np.array([x0 + room.width / 2, room.depth / 2, 0.9])
        hall = np.array([door_x, middle, 1.5])
        arriving = -1.0 if visit == len(visits) - 1 else 1.0  # along x
        leaving = -1.0 if visit >= len(visits) - 2 else 1.0
        turn = 1.0 if room.door.x < room.width / 2 else -1.0
        before = np.array([np.clip(door_x - 0.9 * arriving, 0.6, end - 0.6), middle, 1.5])
        stations.append(_station(before, before + np.array([1.9 * arriving, 0.4, -0.2])))
        stations.append(_station(hall, inside))
        stations += [_station(np.array([door_x, y, 1.5]), inside) for y in (-0.1, 0.6)]
        aside = np.arctan2(1.0 - room.depth / 2, door_x - inside[0])
        stations += _round(building, k, aside - 0.3 * turn, -0.84 * turn, -0.4 * turn, 1.45, rng)
        out = np.array([door_x + 1.2 * leaving, middle, 1.2])
        stations += [_station(np.array([door_x, y, 1.5]), out) for y in (0.6, -0.1)]
        stations.append(_station(hall, hall + np.array([1.5 * leaving, -0.5, -0.25])))
    return stations
