"""Does a measured colour deserve a colour's name?

Measured in OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020), where hues keep their names
from dark to light; in CIELab saturated blue bends towards purple.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

# What each name is said of, in many lights (sRGB, hexadecimal). Together they are the map of colours: a colour has the name
# of the nearest entry, so light and dark entries say how far the light may change a colour before its name changes.
_REGIONS: dict[str, str] = {
    "black": "000000 141414 242424 1c1a1e 20242a",
    "grey": "404040 606060 808080 a0a0a0 bcbcbc 708090 8a8a82 5a5e66",
    "white": "ffffff f4f4f4 e6e6e6 d8d8d8 f2eee6 e4ebf2",
    "red": "ff0000 c80000 900000 5a0a0a dc143c b03030 cd5c5c 803038 e03a3a",
    "orange": "ff8c00 ffa500 e07000 ff7f50 d2691e f0a050 c8781e",
    "yellow": "ffff00 ffd700 f0e060 d4b800 e8d44c b8a020 fff59a",
    "green": "008000 00ff00 32cd32 006400 203c20 6b8e23 8fbc8f 90ee90 556b2f 60a070 2e8b57 808000 7a9a60",
    "turquoise": "00ffff 40e0d0 008080 20b2aa 48d1cc 5f9ea0 a0e8e0 30605f",
    "blue": "0000ff 000080 1e3c78 4169e1 4682b4 87ceeb add8e6 6080b0 1e90ff 283c5a 8098b8 3a5a8c",
    "purple": "800080 4b0082 9370db ba55d3 8a2be2 b39ddb 60407a 9a6a9a 3c1e46 d8bfd8",
    "pink": "ffc0cb ff69b4 ff1493 db7093 e8a0b0 ff00ff c06080 f4d0d8",
    "brown": "8b4513 5c3317 a0522d 7a5c40 9c7248 3c2a1e 6b4a2e 966f4a b08050",
    "beige": "f5f5dc d2b48c e8d8b8 c8b898 ddc8a0 b8a488 f0e0c8",
}
_KINDS: dict[str, tuple[str, ...]] = {"green": ("turquoise",), "blue": ("turquoise",)}  # colours that people call so, too
_KIND = 0.02  # how much farther away such a colour counts for
_LIGHTNESS = 0.5  # weight of lightness beside hue and chroma: light shades colours
_TOLERANCE = 0.035  # how much farther than the nearest name's a name's region may be at an agreement of exp(-1/2)
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(rgb: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Lightness 0..1, green-red and blue-yellow of sRGB colours 0..1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, (np.maximum(rgb, 0.04045) / 1.055 + 0.055 / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def agreement(colours: Float[np.ndarray, "k 3"], names: Sequence[str]) -> Float[np.ndarray, " k"]:
    """How well each colour (RGB 0..1) deserves one of the names, 0..1: 1 where no other name is nearer.

    Names: those that `words.COLOURS` has values of. exp(-x²/2) with x = how much farther the region of the best of the names
    is than the nearest region, over a tolerance.

    Raises:
        KeyError: for another name.
    """
    measured = _weighted(oklab(colours))
    distance = {name: _distance(measured, region) for name, region in _PROTOTYPES.items()}
    nearest = np.min(list(distance.values()), axis=0)
    asked = [distance[name] for name in names] + [distance[kind] + _KIND for name in names for kind in _KINDS.get(name, ())]
    excess = np.min(asked, axis=0) - nearest
    return np.exp(-0.5 * (excess / _TOLERANCE) ** 2)


def _distance(measured: Float[np.ndarray, "k 3"], region: Float[np.ndarray, "p 3"]) -> Float[np.ndarray, " k"]:
    return np.linalg.norm(measured[:, None] - region[None], axis=-1).min(axis=1)


def _weighted(lab: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return lab * np.array([_LIGHTNESS, 1.0, 1.0])


_PROTOTYPES = {
    name: _weighted(oklab(np.array([[int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)] for text in texts.split()])))
    for name, texts in _REGIONS.items()
}
