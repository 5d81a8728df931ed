"""Floors, walls and ceilings of all rooms and of the corridor: three stuff instances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3d_splat.synthetic import objects
from s3d_splat.synthetic.furniture import Part
from s3d_splat.synthetic.layout import Opening, Room, Thing, transformed
from s3d_splat.synthetic.mesh import Mesh, join, moved, patch
from s3d_splat.synthetic.textures import Texture, colour

CORRIDOR_WIDTH = 1.7
WALL_THICKNESS = 0.12
_STEP = 0.08  # metres between the vertices of walls
_Shell = tuple[list[Part], list[Part], list[Part]]  # floor, wall, ceiling


@dataclass(frozen=True)
class Building:
    """Rooms side by side along x; with more than one, their doors stand open to a corridor at y < 0."""

    rooms: tuple[Room, ...]
    offsets: tuple[float, ...]  # x of each room's corner
    things: tuple[Thing, ...]  # all instances in world coordinates: floor, wall, ceiling, then the things of the rooms


def build(rooms: tuple[Room, ...]) -> Building:
    """Puts rooms in a row and adds the shell."""
    widths = [room.width + WALL_THICKNESS for room in rooms]
    offsets = tuple(float(x) for x in np.cumsum([0.0, *widths[:-1]]))
    open_doors = len(rooms) > 1
    shells = [_room_shell(room, x, open_doors) for room, x in zip(rooms, offsets, strict=True)]
    if open_doors:
        shells.append(_corridor_shell(rooms, offsets))
    names = ("floor", "wall", "ceiling")
    stuff = [Thing(name, name, tuple(part for shell in shells for part in shell[k])) for k, name in enumerate(names)]
    things = [
        transformed(_opened(thing, room) if open_doors else thing, np.eye(3), np.array([x, 0.0, 0.0]))
        for room, x in zip(rooms, offsets, strict=True)
        for thing in room.things
    ]
    if open_doors:
        things += _corridor_things(rooms, offsets)
    return Building(rooms, offsets, (*stuff, *things))


def _corridor_things(rooms: tuple[Room, ...], offsets: tuple[float, ...]) -> list[Thing]:
    """Two prints and a chest opposite each room, on the corridor's far wall."""
    far = -WALL_THICKNESS - CORRIDOR_WIDTH
    things = []
    for k, (room, x) in enumerate(zip(rooms, offsets, strict=True)):
        middle = x + room.width / 2
        spots = [(f"corridor print {2 * k + n + 1}", middle + side, 1.2) for n, side in enumerate((-1.6, 1.3))]
        for name, at, z in spots:
            parts = objects.picture(room.theme, 0.8, 0.65, seed=97 * k + round(at * 10))
            things.append(transformed(Thing(name, "picture", parts), np.eye(3), np.array([at, far, z])))
        cover = Texture("checker", (room.theme.accents[3], room.theme.accents[0]), scale=0.12)
        chest = objects.crate(cover, (0.8, 0.32, 0.5))
        things.append(
            transformed(Thing(f"corridor chest {k + 1}", "box", chest), np.eye(3), np.array([middle, far + 0.01, 0]))
        )
    return things


def _opened(thing: Thing, room: Room) -> Thing:
    """The door with its leaf and handle swung into the room by a right angle, about the hinge next to the side wall."""
    if thing.class_name != "door":
        return thing
    side = -1.0 if room.door.x < room.width / 2 else 1.0
    hinge = np.array([room.door.x + side * room.door.width / 2, 0.03, 0.0])
    turn = np.array([[0.0, side, 0.0], [-side, 0.0, 0.0], [0.0, 0.0, 1.0]])
    leaf, frame, handle = thing.parts
    swung = [Part(moved(part.mesh, turn, hinge - turn @ hinge), part.texture) for part in (leaf, handle)]
    return Thing(thing.name, thing.class_name, (swung[0], frame, swung[1]))


def _room_shell(room: Room, x0: float, open_door: bool) -> _Shell:
    w, d, h = room.width, room.depth, room.height
    kind, paint = room.theme.floor_kind, room.theme.floor
    floor = Texture(kind, paint, scale=0.16 if kind == "planks" else 0.3, gloss=0.12)
    ceiling = Texture("panels", (colour("f4f1ea"), colour("d3c9b5"), colour("faf8f3")), scale=0.9, size=(w, d))
    wallpaper = Texture("motif", room.theme.wallpaper, scale=0.26, seed=3)
    walls = [
        patch((x0, 0, 0), (0, d, 0), (0, 0, h), _STEP),
        patch((x0, d, 0), (w, 0, 0), (0, 0, h), _STEP),
        patch((x0 + w, d, 0), (0, -d, 0), (0, 0, h), _STEP),
        *_door_wall(x0, x0 + w, 0.0, h, [(x0 + room.door.x, room.door)] if open_door else [], inward=1),
    ]
    return (
        [Part(patch((x0, 0, 0), (w, 0, 0), (0, d, 0), 0.06), floor)],
        [Part(join(*walls), wallpaper)],
        [Part(patch((x0, d, h), (w, 0, 0), (0, -d, 0), 0.1), ceiling)],
    )


def _door_wall(x0: float, x1: float, y: float, height: float, doors: list[tuple[float, Opening]], inward: int) -> list[Mesh]:
    """A wall along x, from x0 to x1, with holes for doors (centre x, opening); it faces +y (inward 1) or -y (-1)."""
    pieces: list[tuple[float, float, float]] = []  # left, right, lower edge
    left = x0
    for x, door in sorted(doors, key=lambda entry: entry[0]):
        a, b = x - door.width / 2, x + door.width / 2
        pieces += [(left, a, 0.0), (a, b, door.height)]
        left = b
    pieces.append((left, x1, 0.0))
    meshes = []
    for a, b, z in pieces:
        start, along, u0 = (b, a - b, x1 - b) if inward == 1 else (a, b - a, a - x0)
        meshes.append(patch((start, y, z), (along, 0, 0), (0, 0, height - z), _STEP, (u0, z)))
    return meshes


def _reveal(x: float, door: Opening) -> list[Mesh]:
    """The sides and the upper side of the hole that a door leaves in the wall."""
    a, b, t = x - door.width / 2, x + door.width / 2, WALL_THICKNESS
    return [
        patch((a, -t, 0), (0, t, 0), (0, 0, door.height), _STEP),
        patch((b, 0, 0), (0, -t, 0), (0, 0, door.height), _STEP),
        patch((a, 0, door.height), (door.width, 0, 0), (0, -t, 0), _STEP),
    ]


def _corridor_shell(rooms: tuple[Room, ...], offsets: tuple[float, ...]) -> _Shell:
    first, last = rooms[0], rooms[-1]
    x1, h = offsets[-1] + last.width, first.height
    y0, y1 = -WALL_THICKNESS - CORRIDOR_WIDTH, -WALL_THICKNESS
    doors = [(x + room.door.x, room.door) for room, x in zip(rooms, offsets, strict=True)]
    paper = Texture("motif", (first.theme.wallpaper[0], *last.theme.wallpaper[1:]), scale=0.3, seed=11)
    tiles = Texture("tiles", (colour("9a9184"), colour("8f9b9f"), colour("cabda6"), colour("bfae92")), scale=0.3, gloss=0.15)
    ceiling = Texture("panels", (colour("f4f1ea"), colour("d3c9b5"), colour("faf8f3")), scale=0.9, size=(x1, -y0))
    walls = [
        *_door_wall(0.0, x1, y1, h, doors, inward=-1),
        *_door_wall(0.0, x1, y0, h, [], inward=1),
        patch((0, y0, 0), (0, CORRIDOR_WIDTH, 0), (0, 0, h), _STEP),
        patch((x1, y1, 0), (0, -CORRIDOR_WIDTH, 0), (0, 0, h), _STEP),
        *(mesh for x, door in doors for mesh in _reveal(x, door)),
    ]
    return (
        [Part(patch((0, y0, 0), (x1, 0, 0), (0, -y0, 0), 0.08), tiles)],
        [Part(join(*walls), paper)],
        [Part(patch((0, y1, h), (x1, 0, 0), (0, y0 - y1, 0), 0.1), ceiling)],
    )
