"""Colour schemes of a room, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3d_splat.synthetic.textures import Colour, Texture, colour


@dataclass(frozen=True)
class Theme:
    """The colours that one room is furnished in."""

    wallpaper: tuple[Colour, ...]
    floor_kind: str
    floor: tuple[Colour, ...]
    sofa: tuple[Colour, ...]
    chair: tuple[Colour, ...]
    rug: tuple[Colour, ...]
    curtain: tuple[Colour, ...]
    wood: tuple[Colour, ...]
    accents: tuple[Colour, ...]


def _colours(codes: str) -> tuple[Colour, ...]:
    return tuple(colour(code) for code in codes.split())


VIVID = _colours("d8434b 2f9c8f eba91c 3467a8")  # for the small things that everybody's eye should find

_THEMES = (
    Theme(
        wallpaper=_colours("d6ccb8 b3bba8 cdb092 a9aca6"),
        floor_kind="planks",
        floor=_colours("7d5837 a57750 9b6d45 ab7f55 94663f"),
        sofa=_colours("3f5b85 4a6897 8397b3"),
        chair=_colours("c99d4f b07a44"),
        rug=_colours("7d4a50 cdbb9f 5b7088 b5705c c4b9a6"),
        curtain=_colours("dcd0bb 8aa6a2 cfa57c"),
        wood=_colours("754c2f 835836"),
        accents=_colours("ddd2bd 566b86 bd6f66 cfa55c 74a199 8d7b9e 6b7f88"),
    ),
    Theme(
        wallpaper=_colours("c9cfd4 a8b7c7 c9acb3 a5afba"),
        floor_kind="tiles",
        floor=_colours("a39a8c 8f9b9f cabda6 bfae92 d0c6b4"),
        sofa=_colours("90554f 9d5f58 b98f82"),
        chair=_colours("6d9078 d3c8b0"),
        rug=_colours("4c5870 cabd9f 95575b c79d62 c6bda9"),
        curtain=_colours("e3d9c8 bf8f8d d8b88a"),
        wood=_colours("9c774a a98353"),
        accents=_colours("e0d6c2 4f6f86 a9bfcc c97a72 c3b86a 5d979c 8a6a66"),
    ),
    Theme(
        wallpaper=_colours("d4cbb9 c3a98b adb59b aca093"),
        floor_kind="planks",
        floor=_colours("65462f 8a5e3c 7f5536 93673f 774e31"),
        sofa=_colours("4f705b 5a7c64 8ca58c"),
        chair=_colours("b3654f dcc6a8"),
        rug=_colours("47606e cfc0a2 ad6a56 5f8483 c9beac"),
        curtain=_colours("ddd3bf c08b7c 9aac98"),
        wood=_colours("77502f 694527"),
        accents=_colours("ddd3bc 5d6c72 b9705a cfb160 6684a6 6aa58c 957279"),
    ),
)


def draw_theme(rng: np.random.Generator) -> Theme:
    """One of the schemes."""
    return _THEMES[int(rng.integers(len(_THEMES)))]


def poster(theme: Theme, size: tuple[float, float], seed: int) -> Texture:
    """An abstract print in the theme's accents."""
    return Texture("poster", theme.accents, size=size, seed=seed)


def plain(code: str, gloss: float = 0.0, glow: float = 0.0) -> Texture:
    """One colour, given as hexadecimal sRGB."""
    return Texture("plain", (colour(code),), gloss=gloss, glow=glow)
