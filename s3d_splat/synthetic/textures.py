"""Procedural colours, evaluated where a ray hits: crisp shapes of several centimetres, no pixel noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Colour = tuple[float, float, float]  # linear RGB, 0..1
_VIVIDNESS = 0.85


@dataclass(frozen=True)
class Texture:
    """How a surface is painted. `palette[0]` is the ground; `scale` and `size` are metres on the surface."""

    kind: str
    palette: tuple[Colour, ...]
    scale: float = 0.1  # the pattern's cell
    size: tuple[float, float] = (1.0, 1.0)  # the whole painted rectangle, for patterns with a frame
    seed: int = 0
    gloss: float = 0.0  # strength of the highlight
    glow: float = 0.0  # light that the surface sends out by itself


def colour(code: str) -> Colour:
    """Linear RGB of a hexadecimal sRGB code such as "a0522d" (sRGB transfer function taken as a power of 2.2).

    Paints are a little duller than their code: real rooms hold neither black nor pure colours.
    """
    red, green, blue = ((0.5 + _VIVIDNESS * (int(code[i : i + 2], 16) / 255 - 0.5)) ** 2.2 for i in (0, 2, 4))
    return red, green, blue


def albedo(texture: Texture, uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Linear colour of the texture at surface coordinates (metres)."""
    palette = np.asarray(texture.palette, dtype=np.float32)
    return palette[_PATTERNS[texture.kind](texture, uv[:, 0], uv[:, 1])]


_Coordinate = Float[np.ndarray, " n"]
_Index = Int[np.ndarray, " n"]


def _hash(i: _Index, j: _Index | int, seed: int) -> _Index:
    """A repeatable, well-mixed number 0..65535 for each cell (i, j)."""
    mixed = (i.astype(np.int64) * 73856093) ^ (np.asarray(j, dtype=np.int64) * 19349663) ^ (seed * 83492791 + 0x9E3779B9)
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return ((mixed ^ (mixed >> 16)) & 0xFFFF).astype(np.int64)


def _pick(texture: Texture, i: _Index, j: _Index | int, first: int) -> _Index:
    """A palette index of at least `first`, drawn for each cell."""
    return first + _hash(i, j, texture.seed) % max(1, len(texture.palette) - first)


def _cells(u: _Coordinate, v: _Coordinate, width: float, height: float) -> tuple[_Index, _Index, _Coordinate, _Coordinate]:
    """Cell indices and the position within the cell, -0.5..0.5."""
    a, b = u / width, v / height
    i, j = np.floor(a), np.floor(b)
    return i.astype(np.int64), j.astype(np.int64), a - i - 0.5, b - j - 0.5


def _plain(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    return np.zeros(len(u), dtype=np.int64)


def _checker(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    i, j, _, _ = _cells(u, v, texture.scale, texture.scale)
    return (i + j) % len(texture.palette)


def _stripes(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    i, _, a, _ = _cells(u, v, texture.scale, 1.0)
    return np.where(np.abs(a) < 0.27, 1 + i % max(1, len(texture.palette) - 1), 0)


def _tiles(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Square tiles with joints (palette 0) and a diamond (palette 1) in the middle of some."""
    i, j, a, b = _cells(u, v, texture.scale, texture.scale)
    diamond = (np.abs(a) + np.abs(b) < 0.26) & ((i + j) % 2 == 0)
    tile = np.where(diamond, 1, _pick(texture, i, j, 2))
    return np.where(np.maximum(np.abs(a), np.abs(b)) > 0.475, 0, tile)


def _planks(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Boards along u with dark joints (palette 0), each of its own shade."""
    row = np.floor(v / texture.scale).astype(np.int64)
    length = 7 * texture.scale
    i, j, a, b = _cells(u + _hash(row, 7, texture.seed) / 65536 * length, v, length, texture.scale)
    joint = (np.abs(a) > 0.5 - 0.006 / length) | (np.abs(b) > 0.5 - 0.005 / texture.scale)
    return np.where(joint, 0, _pick(texture, i, j, 1))


def _dots(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Discs in staggered rows."""
    row = np.floor(v / texture.scale)
    i, j, a, b = _cells(u + (row % 2) * texture.scale / 2, v, texture.scale, texture.scale)
    return np.where(a * a + b * b < 0.075, _pick(texture, i, j, 1), 0)


def _motif(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Wallpaper: diamonds with a disc inside, and small discs between them."""
    row = np.floor(v / texture.scale)
    i, j, a, b = _cells(u + (row % 2) * texture.scale / 2, v, texture.scale, texture.scale)
    kind = _hash(i, j, texture.seed) % 3
    diamond = np.abs(a) * 1.3 + np.abs(b)
    disc = a * a + b * b
    shape = np.where(diamond < 0.4, 1, 0)
    shape = np.where((kind == 1) & (diamond < 0.4), 2, shape)
    shape = np.where((kind != 2) & (disc < 0.02), 3, shape)
    return np.where((kind == 2) & (disc > 0.05), 0, shape)


def _rug(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """A bordered carpet with a field of diamonds and a band of blocks."""
    width, height = texture.size
    edge = np.minimum(np.minimum(u, width - u), np.minimum(v, height - v))
    _, _, a, b = _cells(u - width / 2, v - height / 2, texture.scale * 2, texture.scale * 2)
    rings = np.abs(a) + np.abs(b)
    field = np.where(rings < 0.14, 3, np.where(rings < 0.3, 4, np.where(rings < 0.44, 2, 1)))
    along = np.where(np.minimum(u, width - u) < np.minimum(v, height - v), v, u)
    blocks = np.where(np.floor(along / texture.scale) % 2 == 0, 3, 2)
    band = np.where(edge < 0.05, 0, blocks)
    return np.where(edge < 0.15, band, np.where(edge < 0.19, 0, field))


def _poster(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """A mat (palette 0) round a picture of a few large discs, bars and triangles."""
    width, height = texture.size
    draw = np.random.default_rng(texture.seed)
    count = len(texture.palette)
    index = np.full(len(u), 1 + int(draw.integers(count - 1)))
    for _ in range(6):
        x, y = draw.uniform(0.15, 0.85) * width, draw.uniform(0.15, 0.85) * height
        radius, tilt = draw.uniform(0.10, 0.24) * min(width, height), draw.uniform(0, np.pi)
        a = (u - x) * np.cos(tilt) + (v - y) * np.sin(tilt)
        b = (v - y) * np.cos(tilt) - (u - x) * np.sin(tilt)
        shapes = (
            a * a + b * b < radius * radius,
            (np.abs(a) < 1.6 * radius) & (np.abs(b) < 0.35 * radius),
            (b > -radius * 0.6) & (2 * np.abs(a) + b < radius),
        )
        index = np.where(shapes[int(draw.integers(3))], 1 + int(draw.integers(count - 1)), index)
    edge = np.minimum(np.minimum(u, width - u), np.minimum(v, height - v))
    return np.where(edge < 0.12 * min(width, height), 0, index)


def _spine(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """The back of a book: two bands and a title block."""
    width, height = texture.size
    band = (np.abs(v - 0.12 * height) < 0.03 * height) | (np.abs(v - 0.88 * height) < 0.03 * height)
    title = (np.abs(v - 0.6 * height) < 0.14 * height) & (np.abs(u - width / 2) < 0.3 * width)
    return np.where(band, 1, np.where(title, 2, 0))


def _spines(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """A row of books side by side (for faces that show many): each of its own colour, dark gaps, a light title."""
    i, _, a, _ = _cells(u, v, texture.scale, 1.0)
    middle = (0.45 + 0.3 * (_hash(i, 3, texture.seed) % 2)) * texture.size[1]
    title = (np.abs(v - middle) < 0.13 * texture.size[1]) & (np.abs(a) < 0.28)
    return np.where(np.abs(a) > 0.46, 0, np.where(title, 1, _pick(texture, i, 5, 2)))


def _panels(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Framed fields, as on a door or a chest of drawers: `scale` is the height of one, palette 1 its groove, 2 its field."""
    width, height = texture.size
    rows = max(1, round(height / texture.scale))
    columns = max(1, round(width / texture.scale))
    _, _, a, b = _cells(u, v, width / columns, height / rows)
    inset = np.minimum((0.5 - np.abs(a)) * width / columns, (0.5 - np.abs(b)) * height / rows)
    return np.where(inset < 0.05, 0, np.where(inset < 0.075, 1, 2))


def _outdoors(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """What the window shows; palette: sky, cloud, far hill, near hill, house, roof."""
    width, height = texture.size
    x, y = u / width, v / height
    cloud = ((x - 0.3) / 0.16) ** 2 + ((y - 0.78) / 0.08) ** 2 < 1
    cloud |= ((x - 0.74) / 0.12) ** 2 + ((y - 0.86) / 0.06) ** 2 < 1
    index = np.where(cloud, 1, 0)
    index = np.where(y < 0.42 + 0.12 * np.sin(5 * x + 0.6), 2, index)
    house = (np.abs(x - 0.66) < 0.12) & (y < 0.5)
    roof = (np.abs(x - 0.66) < 0.16) & (y >= 0.5) & (y - 0.5 < 1.1 * (0.16 - np.abs(x - 0.66)))
    index = np.where(house, 4, np.where(roof, 5, index))
    return np.where(y < 0.24 + 0.08 * np.sin(4 * x + 2.5), 3, index)


def _clock(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """A dial on a square face: rim, four marks and two hands."""
    x, y = u - texture.size[0] / 2, v - texture.size[1] / 2
    radius = texture.size[0] / 2
    distance = np.hypot(x, y)
    marks = (distance > 0.62 * radius) & ((np.abs(x) < 0.07 * radius) | (np.abs(y) < 0.07 * radius))
    minute_hand = (np.abs(x) < 0.06 * radius) & (y > 0) & (y < 0.6 * radius)
    hour_hand = (np.abs(y) < 0.07 * radius) & (x > 0) & (x < 0.42 * radius)
    return np.where(distance > 0.84 * radius, 1, np.where(marks | minute_hand | hour_hand, 2, 0))


def _gores(texture: Texture, u: _Coordinate, v: _Coordinate) -> _Index:
    """Segments round an axis, as on a beach ball: `scale` is the width of one at the equator."""
    return np.floor(u / texture.scale).astype(np.int64) % len(texture.palette)


_PATTERNS: dict[str, Callable[[Texture, _Coordinate, _Coordinate], _Index]] = {
    "plain": _plain,
    "checker": _checker,
    "stripes": _stripes,
    "tiles": _tiles,
    "planks": _planks,
    "dots": _dots,
    "motif": _motif,
    "rug": _rug,
    "poster": _poster,
    "spine": _spine,
    "spines": _spines,
    "panels": _panels,
    "outdoors": _outdoors,
    "clock": _clock,
    "gores": _gores,
}
