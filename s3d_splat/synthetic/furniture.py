"""The large pieces of furniture, in metres, each in its own frame: origin on the floor, x along its width, +y its front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3d_splat.synthetic.mesh import Mesh, box, join, lathe, leaf, patch, pillow, placed, surface, tube
from s3d_splat.synthetic.textures import Texture, colour
from s3d_splat.synthetic.theme import Theme, plain


@dataclass(frozen=True)
class Part:
    """A mesh painted with one texture."""

    mesh: Mesh
    texture: Texture


Parts = tuple[Part, ...]


def _wood(theme: Theme, scale: float = 0.12, gloss: float = 0.15) -> Texture:
    return Texture("planks", theme.wood, scale=scale, gloss=gloss)


def sofa(theme: Theme, width: float) -> Parts:
    """A sofa of the given width, 0.88 m deep; its back is at y = 0. The seat is 0.42 m high, from y = 0.22."""
    cloth = Texture("checker", theme.sofa[:2], scale=0.2)
    arms = Texture("stripes", (theme.sofa[0], theme.sofa[2]), scale=0.14)
    feet = join(*(box((0.06, 0.06, 0.06), (x, y, 0)) for x in (-width / 2 + 0.08, width / 2 - 0.08) for y in (0.08, 0.8)))
    seat = join(
        box((width - 0.36, 0.66, 0.36), (0, 0.55, 0.06)),
        box((width, 0.22, 0.78), (0, 0.11, 0.06)),
    )
    sides = join(*(box((0.18, 0.66, 0.54), (x, 0.55, 0.06)) for x in (-width / 2 + 0.09, width / 2 - 0.09)))
    return (Part(seat, cloth), Part(sides, arms), Part(feet, _wood(theme)))


def cushion(texture: Texture) -> Parts:
    """A cushion that leans back against y = 0, standing on z = 0."""
    return (Part(placed(pillow(0.42, 0.40, 0.16), 0, 0.16, 0.0, pitch=0.28), texture),)


def table(theme: Theme, length: float, depth: float) -> Parts:
    """A table centred on the origin, its top 0.74 m high, with four legs."""
    top = box((length, depth, 0.04), (0, 0, 0.70), step=0.045)
    x, y = length / 2 - 0.06, depth / 2 - 0.06
    legs = [box((0.06, 0.06, 0.70), (sx * x, sy * y, 0), sides="-x+x-y+y") for sx in (-1, 1) for sy in (-1, 1)]
    rails = [box((length - 0.18, 0.02, 0.07), (0, sy * y, 0.63)) for sy in (-1, 1)]
    return (
        Part(top, Texture("planks", theme.wood, scale=0.15, gloss=0.35)),
        Part(join(*legs, *rails), _wood(theme)),
    )


def chair(theme: Theme) -> Parts:
    """A chair whose seat is centred on the origin; the front of its back rest is at y = -0.18."""
    wood = Texture("plain", theme.chair[1:2], gloss=0.1)
    legs = [box((0.035, 0.035, 0.44), (x, y, 0), sides="-x+x-y+y") for x in (-0.18, 0.18) for y in (-0.2, 0.18)]
    posts = [box((0.035, 0.03, 0.48), (x, -0.195, 0.44)) for x in (-0.18, 0.18)]
    slats = [box((0.33, 0.02, 0.10), (0, -0.19, z)) for z in (0.56, 0.80)]
    seat = box((0.42, 0.42, 0.04), (0, 0, 0.43), step=0.05)
    return (Part(seat, Texture("checker", theme.chair, scale=0.105)), Part(join(*legs, *posts, *slats), wood))


def bookshelf(theme: Theme, width: float, heights: tuple[float, ...]) -> Parts:
    """Shelves 0.30 m deep against y = 0; `heights` are the upper sides of the boards, the last one is the top."""
    wood = _wood(theme)
    total = heights[-1]
    boards = [box((width - 0.05, 0.28, 0.025), (0, 0.15, z - 0.025), step=0.05) for z in heights]
    sides = [box((0.025, 0.30, total), (x, 0.15, 0)) for x in (-width / 2 + 0.0125, width / 2 - 0.0125)]
    back = patch((width / 2, 0.01, 0), (-width, 0, 0), (0, 0, total))
    return (Part(join(*boards, *sides), wood), Part(back, Texture("plain", theme.wood[1:])))


def cabinet(theme: Theme, width: float) -> Parts:
    """A chest of drawers 0.78 m high and 0.42 m deep against y = 0."""
    body = box((width, 0.40, 0.74), (0, 0.20, 0.04), sides="-x+x+z")
    front = patch((width / 2, 0.40, 0.04), (-width, 0, 0), (0, 0, 0.74), step=0.05)
    panels = Texture("panels", (theme.wood[0], theme.wood[1], theme.chair[1]), scale=0.37, size=(width, 0.74), gloss=0.1)
    columns = max(1, round(width / 0.37))
    xs = (np.arange(columns) + 0.5) / columns * width - width / 2
    knobs = [box((0.09, 0.03, 0.02), (float(x), 0.415, z)) for x in xs for z in (0.26, 0.63)]
    return (Part(body, _wood(theme)), Part(front, panels), Part(join(*knobs), plain("e8e4da", gloss=0.5)))


def rug(theme: Theme, width: float, depth: float) -> Parts:
    """A carpet 1 cm thick, centred on the origin."""
    top = patch((-width / 2, -depth / 2, 0.01), (width, 0, 0), (0, depth, 0), step=0.05)
    rim = box((width, depth, 0.01), sides="-x+x-y+y")
    pattern = Texture("rug", theme.rug, scale=0.14, size=(width, depth))
    return (Part(top, pattern), Part(rim, Texture("plain", theme.rug[:1])))


def floor_lamp(theme: Theme) -> Parts:
    """A lamp on a thin pole, 1.65 m high."""
    foot = lathe([(0.14, 0.0), (0.12, 0.025), (0.0, 0.03)], 20)
    pole = tube(np.array([[0, 0, z] for z in np.linspace(0.02, 1.40, 24)]), 0.013)
    shade = lathe([(0.20, 1.36), (0.19, 1.42), (0.17, 1.5), (0.15, 1.58), (0.13, 1.65)], 28)
    stripes = Texture("stripes", (colour("fff0cf"), theme.accents[3]), scale=0.157, glow=0.45)
    return (Part(join(foot, pole), plain("3b3b3f", gloss=0.4)), Part(shade, stripes))


def plant(theme: Theme, rng: np.random.Generator) -> Parts:
    """A pot with thin stems and wide leaves, about 1.3 m high."""
    pot = lathe([(0.0, 0.0), (0.13, 0.0), (0.15, 0.1), (0.17, 0.22), (0.18, 0.32), (0.155, 0.32), (0.15, 0.29), (0.0, 0.29)])
    stems, leaves = [], []
    for k in range(9):
        yaw = 2 * np.pi * (k / 9 + rng.uniform(-0.04, 0.04))
        height, lean = rng.uniform(0.55, 1.15), rng.uniform(0.05, 0.2)
        s = np.linspace(0, 1, 8)[:, None]
        tip = np.array([lean * np.cos(yaw), lean * np.sin(yaw), 0.0])
        stems.append(tube(s**1.6 * tip + s * np.array([0, 0, height - 0.28]) + np.array([0, 0, 0.28]), 0.008, 6))
        shape = leaf(rng.uniform(0.30, 0.40), rng.uniform(0.13, 0.18), rng.uniform(0.0, 0.12))
        leaves.append(placed(shape, float(tip[0]), float(tip[1]), height, yaw=yaw))
    green = Texture("stripes", (colour("2f6b3a"), colour("9cc46b")), scale=0.13, gloss=0.1)
    bands = Texture("checker", (theme.accents[0], theme.accents[4]), scale=0.12, gloss=0.3)
    return (Part(pot, bands), Part(join(*stems), plain("56703a")), Part(join(*leaves), green))


def curtain(theme: Theme, width: float, height: float) -> Parts:
    """A hanging cloth in folds, its upper edge at z = 0, before the wall at y = 0."""
    x, z = np.meshgrid(np.linspace(width / 2, -width / 2, 33), np.linspace(-height, 0, 24))
    y = 0.09 + 0.03 * np.sin(2 * np.pi * x / 0.16)
    uv = np.stack([z + height, x + width / 2], 2)
    return (Part(surface(np.stack([x, y, z], 2), uv), Texture("stripes", theme.curtain, scale=0.22)),)
