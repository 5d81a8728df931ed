"""What stands where in one room: drawn from the seed, in the room's frame (corner at the origin, door in the wall y = 0)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from s3d_splat.synthetic import furniture, objects
from s3d_splat.synthetic.furniture import Part, Parts
from s3d_splat.synthetic.mesh import Real, moved, rotation_z
from s3d_splat.synthetic.textures import Texture
from s3d_splat.synthetic.theme import VIVID, Theme, draw_theme


@dataclass(frozen=True)
class Thing:
    """One instance: its parts in world coordinates."""

    name: str
    class_name: str
    parts: Parts


@dataclass(frozen=True)
class Opening:
    """Where the door is in the wall y = 0 of the room's frame."""

    x: float  # centre
    width: float
    height: float


@dataclass(frozen=True)
class Room:
    """The inner size (metres), look and things of one room, in its own frame."""

    width: float  # along x
    depth: float  # along y
    height: float
    theme: Theme
    door: Opening
    things: tuple[Thing, ...]
    window_centre: Float[np.ndarray, " 3"]
    window_normal: Float[np.ndarray, " 3"]  # into the room


@dataclass(frozen=True)
class _Wall:
    """A wall as a frame for furniture: x along it, y into the room."""

    origin: Float[np.ndarray, " 3"]  # middle of its foot
    yaw: float  # of the furniture's frame
    length: float


Rng = np.random.Generator


def transformed(thing: Thing, rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, " 3"]) -> Thing:
    """The thing moved as a whole; `rotation` may mirror."""
    parts = tuple(Part(moved(part.mesh, rotation, translation), part.texture) for part in thing.parts)
    return Thing(thing.name, thing.class_name, parts)


def _at(name: str, class_name: str, parts: Parts, x: Real, y: Real, z: Real = 0.0, yaw: Real = 0.0) -> Thing:
    return transformed(Thing(name, class_name, parts), rotation_z(yaw), np.array([x, y, z]))


def _against(wall: _Wall, thing: Thing, along: float = 0.0) -> Thing:
    """The thing with its frame's origin at `along` on the wall's foot and its front into the room."""
    turn = rotation_z(wall.yaw)
    return transformed(thing, turn, wall.origin + turn @ np.array([along, 0.0, 0.0]))


def draw_room(rng: Rng) -> Room:
    """A furnished room. Sofa, shelf and cabinet are dealt to three walls; half of the rooms are mirror images."""
    theme = draw_theme(rng)
    width, depth, height = rng.uniform(5.3, 5.7), rng.uniform(4.5, 4.8), 2.5
    walls = (
        _Wall(np.array([0.0, depth / 2, 0.0]), -np.pi / 2, depth),
        _Wall(np.array([width / 2, depth, 0.0]), np.pi, width),
        _Wall(np.array([width, depth / 2, 0.0]), np.pi / 2, depth),
    )
    order = [int(k) for k in rng.permutation(3)]
    groups: tuple[Callable[[Theme, Rng], list[Thing]], ...] = (_sofa_group, _shelf_group, _cabinet_group)
    things = [_against(walls[k], thing) for k, group in zip(order, groups, strict=True) for thing in group(theme, rng)]
    towards_sofa = walls[order[0]].origin - np.array([width / 2, depth / 2, 0.0])
    centre = np.array([width / 2, depth / 2, 0.0]) - 0.16 * towards_sofa
    things += _dining_group(theme, rng, centre)
    door = Opening(x=0.95, width=0.9, height=2.03)
    things += _door_wall(theme, rng, door, width)
    things += _corners(theme, rng, width, depth)
    things.append(_at("pendant lamp", "lamp", objects.pendant(theme, 0.85), centre[0], centre[1], height))
    window_wall = walls[order[2]]
    window_normal = rotation_z(window_wall.yaw) @ np.array([0.0, 1.0, 0.0])
    room = Room(width, depth, height, theme, door, tuple(things), window_wall.origin + np.array([0, 0, 1.6]), window_normal)
    return _mirrored(room) if rng.random() < 0.5 else room


def _mirrored(room: Room) -> Room:
    mirror, shift = np.diag([-1.0, 1.0, 1.0]), np.array([room.width, 0.0, 0.0])
    return Room(
        room.width,
        room.depth,
        room.height,
        room.theme,
        Opening(room.width - room.door.x, room.door.width, room.door.height),
        tuple(transformed(thing, mirror, shift) for thing in room.things),
        mirror @ room.window_centre + shift,
        mirror @ room.window_normal,
    )


def _sofa_group(theme: Theme, rng: Rng) -> list[Thing]:
    """Sofa, cushions, rug, ball and prints, in the frame of their wall."""
    width = rng.uniform(2.1, 2.3)
    things = [_at("sofa", "sofa", furniture.sofa(theme, width), 0, 0.03)]
    covers = (
        Texture("dots", (theme.accents[0], theme.accents[2], theme.accents[3]), scale=0.105),
        Texture("stripes", (theme.accents[3], theme.accents[1]), scale=0.12),
        Texture("checker", (theme.accents[4], theme.accents[0]), scale=0.10),
    )
    for k, x in enumerate((-0.62, 0.02, 0.62)):
        spot = x + rng.uniform(-0.06, 0.06)
        things.append(
            _at(f"cushion {k + 1}", "pillow", furniture.cushion(covers[k]), spot, 0.25, 0.425, rng.uniform(-0.1, 0.1))
        )
    things.append(
        _at(
            "remote control",
            "otherprop",
            objects.remote_control(),
            rng.uniform(0.25, 0.35),
            0.7,
            0.421,
            rng.uniform(-0.5, 0.5),
        )
    )
    things.append(_at("rug", "floor mat", furniture.rug(theme, 2.3, 1.35), rng.uniform(-0.15, 0.15), 1.45))
    things.append(
        _at("beach ball", "ball", objects.beach_ball(0.13), rng.uniform(-0.8, -0.5), rng.uniform(1.3, 1.7), 0.01, 0.5)
    )
    x = -0.95
    for k, (w, h) in enumerate(((0.55, 0.72), (0.74, 0.55), (0.5, 0.66))):
        seed = int(rng.integers(1 << 16))
        things.append(_at(f"print {k + 1}", "picture", objects.picture(theme, w, h, seed), x + w / 2, 0.0, 1.18 + 0.04 * k))
        x += w + 0.09
    return things


def _shelf_group(theme: Theme, rng: Rng) -> list[Thing]:
    """A bookshelf with single books, rows of books and boxes, in the frame of its wall."""
    width, boards = 1.5, (0.08, 0.50, 0.90, 1.30, 1.70, 2.05)
    things = [_at("bookshelf", "bookshelf", furniture.bookshelf(theme, width, boards), 0, 0.005)]
    x = -0.66
    for k in range(5):
        w, h = rng.uniform(0.045, 0.06), rng.uniform(0.22, 0.29)
        a, b = rng.permutation(np.arange(1, 7))[:2]
        paint = (theme.accents[int(a)], theme.accents[0], theme.accents[int(b)])
        things.append(_at(f"book {k + 1}", "books", objects.book(paint, w, h, 0.2), x + w / 2, 0.06, boards[2]))
        x += w
    rows = (
        (0.02, boards[2], 0.62, 0.26),
        (-0.66, boards[3], 0.56, 0.28),
        (0.0, boards[1], 0.66, 0.27),
        (-0.6, boards[4], 0.74, 0.24),
    )
    for k, (left, z, w, h) in enumerate(rows):
        row = objects.book_row(theme, w, h, int(rng.integers(1 << 16)))
        things.append(_at(f"row of books {k + 1}", "books", row, left + w / 2, 0.06, z))
    patterns = ("dots", "checker", "stripes")
    spots = ((-0.42, boards[1]), (0.35, boards[0]), (0.42, boards[3]))
    for k, (x, z) in enumerate(spots):
        cover = Texture(patterns[k], (theme.accents[0], theme.accents[k + 1], theme.accents[4]), scale=0.11)
        things.append(_at(f"storage box {k + 1}", "box", objects.crate(cover, (0.42, 0.24, 0.24)), x, 0.03, z))
    return things


def _cabinet_group(theme: Theme, rng: Rng) -> list[Thing]:
    """A chest of drawers with things on it, the window above it and curtains, in the frame of their wall."""
    width, top = 1.5, 0.78
    things = [_at("chest of drawers", "cabinet", furniture.cabinet(theme, width), 0, 0.005)]
    things.append(_at("window", "window", objects.window(1.5, 1.1), 0, 0, 1.05))
    for k, side in enumerate((-1, 1)):
        things.append(_at(f"curtain {k + 1}", "curtain", furniture.curtain(theme, 0.6, 2.2), side * 1.13, 0, 2.35))
    things.append(_at("table lamp", "lamp", objects.table_lamp(theme), rng.uniform(-0.58, -0.5), 0.21, top))
    things.append(_at("pile of books", "books", objects.book_pile(theme), rng.uniform(-0.12, 0.1), 0.08, top, 0.1))
    for k, (x, code) in enumerate(((-0.36, "b5524a"), (0.3, "e8dcc0"))):
        things.append(_at(f"candle {k + 1}", "otherprop", objects.candle(code, 0.15 + 0.03 * k), x, 0.24, top))
    cover = Texture("dots", (theme.accents[4], theme.accents[0]), scale=0.105)
    things.append(_at("gift box", "box", objects.crate(cover, (0.26, 0.22, 0.2)), rng.uniform(0.46, 0.54), 0.1, top))
    return things


def _dining_group(theme: Theme, rng: Rng, centre: Float[np.ndarray, " 3"]) -> list[Thing]:
    """Table, four alike chairs (two pushed in until they touch it), and what stands on the table."""
    length, depth = 1.5, 0.85
    chair = furniture.chair(theme)
    things = [_at("table", "table", furniture.table(theme, length, depth), 0, 0)]
    touching = depth / 2 - 0.18  # the back rest at the edge of the table
    pulled = (touching + rng.uniform(0.34, 0.44), touching + rng.uniform(0.34, 0.44))
    spots = (
        (-0.36, -touching, 0.0),
        (0.36, -pulled[0], rng.uniform(-0.4, 0.4)),
        (0.36, touching, np.pi),
        (-0.36, pulled[1], np.pi + rng.uniform(-0.4, 0.4)),
    )
    things += [_at(f"chair {k + 1}", "chair", chair, x, y, 0, yaw) for k, (x, y, yaw) in enumerate(spots)]
    top = 0.741
    places = ((-0.55, 0.18), (-0.28, -0.25), (0.55, -0.2))
    for k, (x, y) in enumerate(places):
        mug = objects.mug(VIVID[k])
        things.append(_at(f"mug {k + 1}", "cup", mug, x + rng.uniform(-0.05, 0.05), y, top, rng.uniform(0, 6.28)))
    things.append(_at("bowl", "bowl", objects.bowl(VIVID[3]), 0.1, 0.08, top))
    things.append(_at("orange", "otherprop", objects.fruit("f07f13"), 0.065, 0.07, top + 0.014))
    things.append(_at("apple", "otherprop", objects.fruit("b3202a"), 0.142, 0.085, top + 0.014))
    things.append(_at("bottle", "bottle", objects.bottle(), 0.45, 0.2, top))
    turn = rotation_z(0.0 if rng.random() < 0.5 else np.pi)
    return [transformed(thing, turn, centre) for thing in things]


def _door_wall(theme: Theme, rng: Rng, door: Opening, width: float) -> list[Thing]:
    """The door, a light switch, a clock, a print and a bin along the wall y = 0."""
    things = [_at("door", "door", objects.door(theme, door.width, door.height), door.x, 0)]
    things.append(_at("light switch", "otherprop", objects.switch(), door.x + door.width / 2 + 0.24, 0, 1.1))
    things.append(_at("clock", "clock", objects.clock(), door.x + rng.uniform(1.15, 1.35), 0, 1.75))
    seed = int(rng.integers(1 << 16))
    things.append(
        _at("large print", "picture", objects.picture(theme, 1.1, 0.8, seed), width - rng.uniform(1.4, 1.6), 0, 1.15)
    )
    things.append(_at("waste bin", "trash can", objects.bin_(theme), door.x + rng.uniform(1.0, 1.2), 0.2))
    carton = Texture("panels", (theme.wallpaper[2], theme.accents[0], theme.wallpaper[2]), scale=0.3, size=(0.5, 0.34))
    things.append(_at("carton", "box", objects.crate(carton, (0.5, 0.36, 0.34)), width - rng.uniform(1.5, 1.9), 0.03))
    return things


def _corners(theme: Theme, rng: Rng, width: float, depth: float) -> list[Thing]:
    """Plant and floor lamp in the corners away from the door."""
    return [
        _at("plant", "plant", furniture.plant(theme, rng), width - 0.45, depth - 0.45),
        _at("floor lamp", "lamp", furniture.floor_lamp(theme), 0.4, depth - 0.4),
    ]
