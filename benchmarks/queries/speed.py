"""How long vectors for many objects take beside the encoder itself, and how long a question takes after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.priors.text.base import Picture, TextEncoder
from s3d_splat.priors.text.open_clip import OpenClipEncoder
from s3d_splat.query.embed import View, embed_objects
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.search import search
from s3d_splat.query.values import InstanceEmbeddings, ObjectTable, Viewpoints
from s3d_splat.query.views import Look, look_at_objects
from s3d_splat.types import Camera

WIDTH, HEIGHT, CELL = 640, 480, 48  # pixels; an object fills most of a cell
SENTENCES = (
    "chair",
    "the red chair",
    "the largest chair",
    "the chair near the window",
    "the mug on the table",
    "the chair between the door and the window",
    "the chair left of the table",
    "the leftmost chair",
    "a chair to the right of something",
)


class _Timed:
    """An encoder that knows how long it has worked."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.name, self.dimension, self.seconds, self.pictures = encoder.name, encoder.dimension, 0.0, 0

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        start = time.perf_counter()
        vectors = self._encoder.encode_pictures(pictures)
        self.seconds += time.perf_counter() - start
        self.pictures += len(pictures)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        return self._encoder.encode_texts(texts)


def embedding_seconds(instances: int, views: int) -> dict[str, float]:
    """`instances` objects in `views` views each, a picture a view, through a ViT-B-32 with random weights.

    Returns `pictures seconds encoder_seconds outside_share`. The views are given, not rendered: what renders them has a
    benchmark of its own.
    """
    encoder = _Timed(_random_clip("ViT-B-32"))
    looks, ids = _crowd(instances, views)
    centres = [np.array([[0.0, 0.0, 1.0]]) for _ in ids]
    options = PictureOptions(views=views, scales=(1.2,), cut_out=False)
    start = time.perf_counter()
    seen = look_at_objects(looks, ids, centres)
    good = replace(seen, visible=np.ones_like(seen.visible))  # a view is as good as any other
    embed_objects([View(str(i), look) for i, look in enumerate(looks)], good, ids, encoder, options)
    seconds = time.perf_counter() - start
    return {
        "pictures": encoder.pictures,
        "seconds": seconds,
        "encoder_seconds": encoder.seconds,
        "outside_share": 1 - encoder.seconds / seconds,
    }


def question_seconds(instances: int, repeats: int = 5) -> dict[str, float]:
    """The shortest of `repeats` times of each sentence over a crowd of objects, without the text encoder."""
    generator = np.random.default_rng(0)
    centre = generator.uniform((0, 0, 0), (20, 20, 2), (instances, 3))
    half = generator.uniform(0.05, 0.5, (instances, 1))
    objects = ObjectTable(
        id=np.arange(1, instances + 1),
        class_name=("",) * instances,
        is_thing=np.ones(instances, dtype=bool),
        centre=centre,
        box=np.stack((centre - half, centre + half), axis=1),
        colour=generator.uniform(0, 1, (instances, 3)),
        points=tuple(c + generator.uniform(-1, 1, (256, 3)) * h for c, h in zip(centre, half, strict=True)),
        T_upright_world=np.eye(4),
    )
    vectors = generator.normal(size=(instances, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    known = InstanceEmbeddings(
        "words", objects.id, vectors, np.zeros(instances), (), (), np.zeros((0, instances), dtype=np.int64)
    )
    poses = np.broadcast_to(np.eye(4), (200, 4, 4)).copy()
    poses[:, :2, 3] = generator.uniform(0, 20, (200, 2))
    viewpoints = Viewpoints(poses, generator.random((200, instances)) < 0.1)
    words: dict[str, Tensor] = {}

    def encode(texts: Sequence[str]) -> Tensor:
        for text in texts:
            if text not in words:  # a word lies near a tenth of the objects
                near = vectors[len(words) % 10 :: 10].mean(axis=0)
                words[text] = torch.nn.functional.normalize(torch.from_numpy(near).float(), dim=0)
        return torch.stack([words[text] for text in texts])

    options = QueryOptions(templates=("{}",))

    def ask(text: str) -> None:
        search(text, objects, known, encode, viewpoints, options)

    return {text: _shortest(partial(ask, text), repeats) for text in SENTENCES}


def _shortest(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _random_clip(name: str) -> OpenClipEncoder:
    import open_clip

    torch.manual_seed(0)
    return OpenClipEncoder(name, open_clip.create_model(name), open_clip.get_tokenizer(name))


def _crowd(instances: int, views: int) -> tuple[list[Callable[[], Look]], np.ndarray]:
    """Views with an object in every cell of a grid, so that each object is in `views` of them."""
    columns, rows = WIDTH // CELL, HEIGHT // CELL
    ids = np.arange(1, instances + 1)
    places = np.resize(ids, -(-instances * views // (columns * rows)) * columns * rows).reshape(-1, rows, columns)
    camera = Camera(torch.eye(4), 500.0, 500.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)

    def look(number: int) -> Look:
        cells = places[number].repeat(CELL, axis=0).repeat(CELL, axis=1)
        rendered = np.zeros((HEIGHT, WIDTH), dtype=np.int32)
        rendered[: cells.shape[0], : cells.shape[1]] = cells
        image = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        return Look(camera, rendered, image, rendered)

    return [lambda number=number: look(number) for number in range(len(places))], ids
