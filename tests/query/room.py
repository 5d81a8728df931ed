"""A room of boxes, seen from the front, whose objects and words have one axis each: what a question must find is plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from s3d_splat.query.values import InstanceEmbeddings, ObjectTable, Viewpoints

_SENTENCE = (
    "object things stuff texture floor wall window door picture table mug book bag chair sofa ball crate toy lamp "
    "red green blue yellow white grey brown black"
)
WORDS = _SENTENCE.split()

Boxes = Sequence[tuple[tuple[float, ...], tuple[float, ...]]]


def surface(low: Sequence[float], high: Sequence[float], spacing: float = 0.05) -> np.ndarray:
    """Points on a grid over the faces of a box (metres)."""
    sides = [np.linspace(a, b, max(round((b - a) / spacing), 1) + 1) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[((grid == np.asarray(low)) | (grid == np.asarray(high))).any(axis=1)]


def table_of(parts: Sequence[np.ndarray], colours: Sequence[Sequence[float]], stuff: Sequence[int] = ()) -> ObjectTable:
    """Objects 1..k of these points (metres, z up) and colours (RGB 0..1)."""
    box = np.array([[xyz.min(axis=0), xyz.max(axis=0)] for xyz in parts])
    return ObjectTable(
        id=np.arange(1, len(parts) + 1),
        class_name=("",) * len(parts),
        is_thing=np.array([i not in stuff for i in range(len(parts))]),
        centre=box.mean(axis=1),
        box=box,
        colour=np.array(colours, dtype=np.float64),
        points=tuple(parts),
        T_upright_world=np.eye(4),
    )


def boxes_of(boxes: Boxes, spacing: float = 0.05) -> ObjectTable:
    """Grey boxes, given by their lowest and highest corners."""
    return table_of([surface(low, high, spacing) for low, high in boxes], [(0.5, 0.5, 0.5)] * len(boxes))


# Words of each object (its vector), colour, boxes.
_OBJECTS: tuple[tuple[str, str, tuple[float, float, float], Boxes], ...] = (
    ("floor", "floor", (0.5, 0.4, 0.3), [((0, 0, 0), (5, 4, 0))]),
    ("wall", "wall", (0.9, 0.9, 0.9), [((0, 4, 0), (5, 4, 2.5))]),
    ("window", "window", (0.7, 0.8, 0.9), [((3.5, 3.95, 1), (4.5, 4, 2))]),
    ("door", "door", (0.45, 0.3, 0.2), [((0.3, 3.95, 0), (1.2, 4, 2))]),
    ("picture", "picture", (0.2, 0.5, 0.3), [((2.0, 3.97, 1.3), (2.6, 4, 1.8))]),
    (
        "table",
        "table",
        (0.5, 0.33, 0.2),
        [
            ((2, 1.5, 0.7), (3.2, 2.3, 0.75)),
            *[((x, y, 0), (x + 0.05, y + 0.05, 0.7)) for x in (2, 3.15) for y in (1.5, 2.25)],
        ],
    ),
    ("blue mug", "mug blue", (0.1, 0.2, 0.8), [((2.9, 1.6, 0.75), (2.98, 1.68, 0.85))]),
    ("book", "book", (0.8, 0.1, 0.1), [((2.2, 1.8, 0.75), (2.45, 2.0, 0.78))]),
    ("bag", "bag black", (0.05, 0.05, 0.05), [((2.4, 1.7, 0), (2.7, 2.0, 0.35))]),
    ("grey-blue chair", "chair chair blue grey", (0.40, 0.50, 0.64), [((3.6, 3.2, 0), (4.1, 3.7, 0.9))]),
    ("red chair", "chair chair red", (0.75, 0.1, 0.1), [((0.5, 0.5, 0), (1.0, 1.0, 0.95))]),
    ("brown chair", "chair chair brown", (0.45, 0.28, 0.15), [((1.4, 1.6, 0), (1.9, 2.1, 1.1))]),
    ("sofa", "sofa grey", (0.5, 0.5, 0.5), [((3.4, 0.3, 0), (4.9, 1.1, 0.8))]),
    ("red ball", "ball red", (0.85, 0.1, 0.1), [((2.7, 0.5, 0), (2.9, 0.7, 0.2))]),
    ("small red ball", "ball red", (0.85, 0.1, 0.1), [((4.95, 0.5, 0), (5.0, 0.55, 0.05))]),
    ("crate", "crate brown", (0.5, 0.35, 0.2), [((1.0, 2.6, 0), (1.6, 3.1, 0.5))]),
    ("toy", "toy yellow", (0.9, 0.8, 0.1), [((1.2, 2.7, 0.02), (1.35, 2.85, 0.2))]),
    ("tall lamp", "lamp", (0.95, 0.95, 0.9), [((0.2, 1.2, 0), (0.5, 1.5, 1.8))]),
    ("low lamp", "lamp", (0.95, 0.95, 0.9), [((4.6, 2.4, 0), (4.8, 2.6, 0.4))]),
    ("never seen", "", (0.5, 0.5, 0.5), [((4.0, 2.0, 0), (4.1, 2.1, 0.1))]),
)
NAMES = tuple(name for name, *_ in _OBJECTS)


def objects() -> ObjectTable:
    """The room: x to the right, y away from who looks, z up (metres); floor and wall are stuff."""
    parts = [np.concatenate([surface(*box) for box in boxes]) for *_, boxes in _OBJECTS]
    return table_of(parts, [colour for _, _, colour, _ in _OBJECTS], stuff=(0, 1))


def embeddings() -> InstanceEmbeddings:
    """What each object is, and a little of "object", as everything has."""
    vectors = np.stack([vector_of(f"{words} ", 0.3 if words else 0.0) for _, words, _, _ in _OBJECTS])
    ids = np.arange(1, len(_OBJECTS) + 1)
    nothing = np.zeros((0, len(ids)), dtype=np.int64)
    return InstanceEmbeddings("words", ids, vectors, np.zeros(len(ids)), crops=(), frames=(), pixels=nothing)


def vector_of(text: str, objectness: float = 0.0) -> np.ndarray:
    """The normalised sum of the axes of the known words of a text."""
    words = [word.removesuffix("s") if word not in WORDS else word for word in text.lower().replace("-", " ").split()]
    vector = np.array([float(words.count(word)) for word in WORDS])
    vector[0] += objectness
    return vector / max(np.linalg.norm(vector), 1e-12)


def encode_texts(texts: Sequence[str]) -> torch.Tensor:
    """As `TextEncoder.encode_texts`."""
    return torch.from_numpy(np.stack([vector_of(text) for text in texts])).float()


def viewpoints() -> Viewpoints:
    """Three cameras before the room, which look along +y and see everything."""
    pose = np.tile(np.eye(4), (3, 1, 1))
    pose[:, :3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose[:, :3, 3] = [(1.5, -4, 1.5), (2.5, -4, 1.5), (3.5, -4, 1.5)]
    return Viewpoints(pose, np.ones((3, len(_OBJECTS)), dtype=bool))


def moved(table: ObjectTable, T_new_old: np.ndarray) -> ObjectTable:
    """The objects elsewhere in the same upright frame, with boxes along the axes as ever."""
    parts = [xyz @ T_new_old[:3, :3].T + T_new_old[:3, 3] for xyz in table.points]
    new = table_of(parts, table.colour)
    return replace(new, is_thing=table.is_thing, class_name=table.class_name)
