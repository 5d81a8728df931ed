"""Small things and what hangs on walls; frames and units as in `furniture`."""

from __future__ import annotations

import numpy as np

from s3d_splat.synthetic.furniture import Part, Parts
from s3d_splat.synthetic.mesh import ball, box, join, lathe, moved, patch, placed, rotation_x, tube
from s3d_splat.synthetic.textures import Colour, Texture, colour
from s3d_splat.synthetic.theme import Theme, plain, poster


def mug(paint: Colour) -> Parts:
    """A cup 8 cm high with a handle."""
    cup = lathe(
        [(0.0, 0.001), (0.032, 0.001), (0.036, 0.01), (0.036, 0.08), (0.032, 0.08), (0.031, 0.012), (0.0, 0.012)], 20
    )
    bend = np.linspace(-np.pi / 2, np.pi / 2, 9)
    handle = tube(np.stack([0.034 + 0.022 * np.cos(bend), 0 * bend, 0.042 + 0.022 * np.sin(bend)], 1), 0.005, 6)
    return (Part(join(cup, handle), Texture("plain", (paint,), gloss=0.5)),)


def bowl(paint: Colour) -> Parts:
    """An open bowl 8 cm high and 28 cm wide."""
    profile = [
        (0.0, 0.001),
        (0.06, 0.001),
        (0.10, 0.03),
        (0.14, 0.08),
        (0.132, 0.08),
        (0.093, 0.036),
        (0.055, 0.014),
        (0.0, 0.014),
    ]
    return (Part(lathe(profile, 28), Texture("plain", (paint,), gloss=0.4)),)


def bottle() -> Parts:
    """A bottle 27 cm high with a label."""
    glass = lathe([(0.0, 0.001), (0.036, 0.001), (0.037, 0.05), (0.037, 0.06)], 20)
    label = lathe([(0.0372, 0.06), (0.0372, 0.13)], 20)
    neck = lathe([(0.037, 0.13), (0.036, 0.16), (0.015, 0.2), (0.013, 0.27), (0.0, 0.27)], 20)
    return (Part(join(glass, neck), plain("1f5c3f", gloss=0.6)), Part(label, plain("f2e8c9")))


def fruit(code: str) -> Parts:
    """An orange or apple of 6.6 cm."""
    return (Part(ball(0.033, 16), plain(code, gloss=0.2)),)


def candle(code: str, height: float) -> Parts:
    """A thick candle on a saucer."""
    profile = [(0.0, 0.001), (0.045, 0.001), (0.05, 0.012), (0.034, 0.012), (0.034, height), (0.0, height)]
    return (Part(lathe(profile, 16), plain(code)),)


def remote_control() -> Parts:
    """A remote control that lies flat."""
    return (Part(box((0.055, 0.17, 0.022), sides="-x+x-y+y+z", step=0.03), plain("2e3238", gloss=0.2)),)


def beach_ball(radius: float) -> Parts:
    """A ball with coloured gores, lying on its side."""
    tilt = rotation_x(1.1)
    centre = np.array([0.0, 0.0, radius])
    mesh = moved(ball(radius), tilt, centre - tilt @ centre)
    colours = tuple(colour(code) for code in ("e63946", "f1faee", "1d6fa5", "ffc93c"))
    return (Part(mesh, Texture("gores", colours, scale=2 * np.pi * radius / 8 * 1.00001, gloss=0.4)),)


def book(paint: tuple[Colour, ...], width: float, height: float, depth: float) -> Parts:
    """An upright book whose spine faces +y; its back is at y = 0."""
    cover = box((width, depth, height), (0, depth / 2, 0), sides="-x+x-y")
    pages = box((width, depth, height), (0, depth / 2, 0), sides="+z")
    spine = patch((width / 2, depth, 0), (-width, 0, 0), (0, 0, height), step=0.03)
    return (
        Part(cover, Texture("plain", paint[:1])),
        Part(pages, plain("efe8d6")),
        Part(spine, Texture("spine", paint, size=(width, height))),
    )


def book_row(theme: Theme, width: float, height: float, seed: int) -> Parts:
    """A set of books that stand close together and count as one thing."""
    palette = (colour("4a4038"), *theme.accents)
    cover = box((width, 0.2, height), (0, 0.1, 0), sides="-x+x")
    top = box((width, 0.2, height), (0, 0.1, 0), sides="+z")
    front = patch((width / 2, 0.2, 0), (-width, 0, 0), (0, 0, height), step=0.04)
    return (
        Part(cover, Texture("plain", theme.accents[2:3])),
        Part(top, plain("efe8d6")),
        Part(front, Texture("spines", palette, scale=width / round(width / 0.062), size=(width, height), seed=seed)),
    )


def book_pile(theme: Theme) -> Parts:
    """Three lying books that count as one thing."""
    sizes = ((0.28, 0.20, 0.045), (0.25, 0.18, 0.04), (0.21, 0.15, 0.04))
    parts, z = [], 0.0
    for k, size in enumerate(sizes):
        parts.append(
            Part(
                placed(box(size, sides="-x+x-y+y+z"), 0, 0.13, z, yaw=0.15 * (k - 1)),
                Texture("plain", theme.accents[k + 2 : k + 3]),
            )
        )
        z += size[2]
    return tuple(parts)


def crate(texture: Texture, size: tuple[float, float, float]) -> Parts:
    """A box with its back at y = 0."""
    return (Part(box(size, (0, size[1] / 2, 0), sides="-x+x-y+y+z"), texture),)


def bin_(theme: Theme) -> Parts:
    """An open waste bin, 32 cm high."""
    profile = [
        (0.0, 0.002),
        (0.11, 0.002),
        (0.12, 0.1),
        (0.13, 0.2),
        (0.14, 0.32),
        (0.132, 0.32),
        (0.105, 0.02),
        (0.0, 0.02),
    ]
    return (Part(lathe(profile), Texture("checker", (theme.accents[0], theme.accents[6]), scale=0.11)),)


def table_lamp(theme: Theme) -> Parts:
    """A lamp 45 cm high."""
    foot = lathe([(0.0, 0.001), (0.07, 0.001), (0.08, 0.05), (0.05, 0.12), (0.015, 0.16), (0.012, 0.26)], 20)
    shade = lathe([(0.15, 0.24), (0.135, 0.31), (0.115, 0.38), (0.1, 0.45)], 24)
    return (Part(foot, Texture("plain", theme.accents[4:5], gloss=0.4)), Part(shade, plain("ffe9c2", glow=0.5)))


def pendant(theme: Theme, drop: float) -> Parts:
    """A lamp that hangs on a thin cord from z = 0; its lower edge is `drop` metres below."""
    cord = tube(np.array([[0, 0, z] for z in np.linspace(0.2 - drop, 0.0, 12)]), 0.008, 6)
    shade = lathe([(0.17, -drop), (0.155, 0.07 - drop), (0.1, 0.16 - drop), (0.03, 0.2 - drop)], 28)
    return (Part(cord, plain("4a4a4a")), Part(shade, Texture("plain", theme.accents[3:4], gloss=0.2, glow=0.15)))


def picture(theme: Theme, width: float, height: float, seed: int) -> Parts:
    """A framed print on the wall y = 0, its lower edge at z = 0."""
    canvas = patch((width / 2 - 0.04, 0.025, 0.04), (-width + 0.08, 0, 0), (0, 0, height - 0.08), step=0.05)
    bars = [box((width, 0.035, 0.04), (0, 0.0175, z)) for z in (0.0, height - 0.04)]
    bars += [box((0.04, 0.035, height - 0.08), (x, 0.0175, 0.04)) for x in (-width / 2 + 0.02, width / 2 - 0.02)]
    frame = plain("7a5a40" if seed % 2 else "b8975a", gloss=0.2)
    return (Part(canvas, poster(theme, (width - 0.08, height - 0.08), seed)), Part(join(*bars), frame))


def clock() -> Parts:
    """A round clock 32 cm wide on the wall y = 0, centred on z = 0."""
    disc = moved(lathe([(0.16, 0.0), (0.16, 0.04)], 28), rotation_x(-np.pi / 2), np.zeros(3))
    face = moved(lathe([(0.16, 0.0399), (0.08, 0.04), (0.0, 0.04)], 28), rotation_x(-np.pi / 2), np.zeros(3))
    flat = type(face)(face.vertices, face.normals, face.vertices[:, [0, 2]] * [-1, 1] + 0.16, face.faces)
    dial = Texture("clock", (colour("f7f2e2"), colour("7c1f2b"), colour("1a1a1a")), size=(0.32, 0.32), gloss=0.2)
    return (Part(disc, plain("7c1f2b")), Part(flat, dial))


def switch() -> Parts:
    """A light switch on the wall y = 0."""
    plate = box((0.12, 0.012, 0.12), (0, 0.006, 0))
    rocker = box((0.07, 0.012, 0.08), (0, 0.018, 0.02))
    return (Part(plate, plain("fbfaf5")), Part(rocker, plain("8a8a8a")))


def door(theme: Theme, width: float, height: float) -> Parts:
    """A closed door with its frame and handle in the wall y = 0."""
    leaf = box((width, 0.03, height), (0, 0.015, 0), step=0.07)
    frame = [box((0.09, 0.05, height + 0.09), (x, 0.025, 0)) for x in (-width / 2 - 0.045, width / 2 + 0.045)]
    frame.append(box((width, 0.05, 0.09), (0, 0.025, height)))
    handle = box((0.13, 0.025, 0.025), (width / 2 - 0.12, 0.055, 1.02))
    panels = Texture(
        "panels", (colour("a9793f"), colour("7d562b"), colour("b58a50")), scale=0.68, size=(width, height), gloss=0.1
    )
    return (Part(leaf, panels), Part(join(*frame), plain("8d5a34")), Part(handle, plain("c8c8c8", gloss=0.7)))


def window(width: float, height: float) -> Parts:
    """A window with a cross of bars in the wall y = 0, its sill at z = 0; one sees hills and a house."""
    sky = tuple(colour(code) for code in ("a9c9df", "cfdde6", "9db58a", "86a67a", "d6c9a6", "b98670"))
    pane = patch((width / 2, 0.006, 0), (-width, 0, 0), (0, 0, height), step=0.2)
    bars = [box((0.05, 0.04, height + 0.1), (x, 0.02, -0.05)) for x in (-width / 2 - 0.025, width / 2 + 0.025)]
    bars += [box((width, 0.04, 0.05), (0, 0.02, z)) for z in (-0.05, height)]
    bars += [box((0.03, 0.03, height), (0, 0.015, 0)), box((width, 0.03, 0.03), (0, 0.015, height * 0.6))]
    bars.append(box((width + 0.16, 0.14, 0.03), (0, 0.07, -0.08)))
    view = Texture("outdoors", sky, size=(width, height), glow=0.75)
    return (Part(pane, view), Part(join(*bars), plain("fbfaf3", gloss=0.1)))
