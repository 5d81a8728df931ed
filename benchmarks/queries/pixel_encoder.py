"""An encoder whose pictures and words agree by construction, on colours, shapes and classes; its pictures are pixels only.

It stands for CLIP where no weights can be had. Every word that it knows is an axis. A picture's part along the colours is
how much of it has each; along shapes and classes it is what trees make of its pixels, grown on pictures of other built-in
rooms. What it does not know is nothing that a picture shows: a word of its own axis.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from skimage.color import rgb2lab
from skimage.feature import hog
from sklearn.ensemble import ExtraTreesClassifier
from torch import Tensor

from s3d_splat.priors.text.base import Picture

_SIDE = 48  # pixels that a picture is brought to
COLOURS: Mapping[str, tuple[int, int, int]] = {  # 0..255, as things of these colours look in a lit room
    "red": (190, 45, 55),
    "orange": (240, 140, 25),
    "yellow": (225, 185, 60),
    "green": (40, 110, 75),
    "blue": (60, 95, 165),
    "purple": (120, 90, 160),
    "pink": (225, 150, 160),
    "brown": (110, 70, 45),
    "black": (30, 30, 32),
    "grey": (130, 130, 130),
    "white": (225, 220, 210),
}
_COLOUR = 0.6  # how long a picture's part along the colours is; that along shapes and classes is 1
_UNKNOWN = 64  # axes that words share which no picture shows
_EVERYTHING = frozenset({"object", "objects", "thing", "things", "stuff", "texture", "something"})
_FILLERS = frozenset({"a", "an", "the", "of", "photo", "in", "room", "this", "is", "close-up", "some"})


class PixelEncoder:
    """A `TextEncoder` that is made on the spot."""

    def __init__(
        self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], words: Sequence[frozenset[str]], seed: int = 0
    ) -> None:
        """Learns the words of shapes and classes from pictures that each of them fits."""
        self._words = sorted(frozenset().union(*words) - set(COLOURS))
        column = {word: i for i, word in enumerate(self._words)}
        target = np.zeros((len(pictures), len(self._words)), dtype=int)
        for row, own in enumerate(words):
            target[row, [column[word] for word in own if word in column]] = 1
        self._trees = ExtraTreesClassifier(200, min_samples_leaf=2, max_features=0.15, random_state=seed, n_jobs=1)
        self._trees.fit(_looks(pictures), target)
        self.dimension = len(COLOURS) + len(self._words) + _UNKNOWN
        lessons = hashlib.sha256(repr((self._words, seed)).encode())
        for picture in pictures:
            lessons.update(picture.tobytes())
        self.name = f"pixels and words {lessons.hexdigest()[:16]}"  # who has learnt something else is another encoder

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        if not pictures:
            return torch.zeros(0, self.dimension)
        arrays = [picture.numpy() for picture in pictures]
        shown = np.stack([of_class[:, -1] for of_class in self._trees.predict_proba(_looks(arrays))], axis=1)
        colours = np.stack([_colours(array) for array in arrays])
        # What trees are not sure of they give little to every word: what counts is which words get most of it.
        vectors = np.concatenate((_COLOUR * _unit(colours), _unit(shown), np.zeros((len(arrays), _UNKNOWN))), axis=1)
        return torch.from_numpy(_unit(vectors)).float()

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`; a text that says nothing is like anything a little."""
        if not texts:
            return torch.zeros(0, self.dimension)
        return torch.from_numpy(_unit(np.stack([self._text(text) for text in texts]))).float()

    def _text(self, text: str) -> Float[np.ndarray, " d"]:
        axis = {word: i for i, word in enumerate((*COLOURS, *self._words))}
        vector = np.zeros(self.dimension)
        words = [
            word
            for word in re.findall(r"[a-z-]+", re.sub(r"^a (photo|picture) of ", "", text.lower()))
            if word not in _FILLERS
        ]
        for word in words:
            known = next((form for form in (word, word.rstrip("s"), word + "s") if form in axis), None)
            if known is not None:
                vector[axis[known]] = 1
            elif word not in _EVERYTHING:
                digest = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
                vector[len(axis) + digest % _UNKNOWN] = 1
        if not vector.any():
            vector[: len(axis)] = 1
        return vector


def _colours(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " c"]:
    """The share of the inner pixels that each colour's name fits best, its root: half of a thing is no small part of it."""
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    inner = slice(_SIDE // 4, -_SIDE // 4)
    lab = rgb2lab(small[inner, inner])
    names = rgb2lab(np.array(list(COLOURS.values()), dtype=np.uint8)[None])[0]
    difference = (lab[:, :, None] - names) * (0.5, 1.0, 1.0)  # shadows change lightness most
    best = (difference**2).sum(axis=3).argmin(axis=2)
    return np.sqrt(np.bincount(best.ravel(), minlength=len(names)) / best.size)


def _looks(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "n f"]:
    """Gradients, a small picture and its colours: what trees look at."""
    rows = []
    for picture in pictures:
        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        gradients = hog(grey, orientations=8, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
        tiny = cv2.resize(small, (10, 10), interpolation=cv2.INTER_AREA).ravel() / 255
        rows.append(np.concatenate((gradients, tiny, _colours(picture))))
    return np.stack(rows)


def _unit(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
