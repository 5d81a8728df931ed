"""A vector for every object: pictures of it from its best views, encoded, and their robust middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.query.crops import CropStyle, crops_of
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.values import CropOfObject, InstanceEmbeddings
from s3d_splat.query.views import Look, SeenObjects, best_views

_AT_ONCE = 256  # pictures that wait for the encoder, at most
_ROUNDS = 20  # of the iteration for the middle, which converges long before


@dataclass(frozen=True)
class View:
    """A frame by its name, and how to look at it (again)."""

    frame: str
    look: Callable[[], Look]


def embed_objects(
    views: Sequence[View],
    seen: SeenObjects,
    ids: Int[np.ndarray, " k"],
    encoder: TextEncoder,
    options: PictureOptions,
    observe: Callable[[float], None] = lambda share: None,
) -> InstanceEmbeddings:
    """The vectors of the objects `ids` (ascending, the columns of `seen`), with the crops that they come from.

    `observe` is told the share of crops that are done, 0..1.
    """
    chosen = best_views(seen, options.views)
    records: list[CropOfObject] = []
    vectors: list[Float[torch.Tensor, "n d"]] = []
    waiting: list[torch.Tensor] = []
    expected = max(sum(len(own) for own in chosen) * len(_styles(options)), 1)

    def encode() -> None:
        if waiting:
            vectors.append(encoder.encode_pictures(waiting))
            waiting.clear()
            observe(len(records) / expected)

    for record, picture in _crops(views, ids, chosen, _styles(options)):
        records.append(record)
        waiting.append(torch.from_numpy(picture))
        if len(waiting) == _AT_ONCE:
            encode()
    encode()
    encoded = torch.cat(vectors).double().numpy() if vectors else np.zeros((0, encoder.dimension))
    owner = np.searchsorted(ids, np.array([record.id for record in records], dtype=np.int64))
    weight = np.array([record.weight for record in records])
    middle = np.zeros((len(ids), encoder.dimension))
    spread = np.ones(len(ids))
    for i in np.unique(owner):
        own = np.flatnonzero(owner == i)
        middle[i] = spherical_median(encoded[own], weight[own])
        spread[i] = 1 - np.average(encoded[own] @ middle[i], weights=weight[own])
    return InstanceEmbeddings(encoder.name, ids, middle, spread, tuple(records))


def spherical_median(vectors: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """The unit vector with the least weighted sum of distances to unit vectors (Weiszfeld's iteration, on the sphere).

    A crop that shows something else pulls with its weight, however far away it is, and not with its distance as in a mean.
    """
    middle = _unit(weights @ vectors)
    for _ in range(_ROUNDS):
        distance = np.linalg.norm(vectors - middle, axis=1)
        middle = _unit((weights / np.maximum(distance, 1e-9)) @ vectors)
    return middle


def joined_embeddings(old: InstanceEmbeddings, new: InstanceEmbeddings, ids: Int[np.ndarray, " k"]) -> InstanceEmbeddings:
    """Those of `ids` (ascending): the new ones where there are, else the old ones.

    Raises:
        ValueError: the two come from different encoders, or an id is in neither.
    """
    if old.encoder != new.encoder:
        raise ValueError(f"vectors of {old.encoder} beside those of {new.encoder}")
    source = {int(id): (old, i) for i, id in enumerate(old.id)} | {int(id): (new, i) for i, id in enumerate(new.id)}
    missing = [id for id in ids.tolist() if id not in source]
    if missing:
        raise ValueError(f"no vector of instance {missing[0]}")
    rows = [source[id] for id in ids.tolist()]
    fresh = set(new.id.tolist())
    kept = set(ids.tolist())
    crops = (*(c for c in old.crops if c.id in kept - fresh), *(c for c in new.crops if c.id in kept))
    vector = np.array([side.vector[i] for side, i in rows]).reshape(len(rows), new.vector.shape[1])
    return InstanceEmbeddings(new.encoder, ids, vector, np.array([side.spread[i] for side, i in rows], dtype=float), crops)


def _styles(options: PictureOptions) -> list[CropStyle]:
    with_background = [CropStyle(scale, True) for scale in options.scales]
    return with_background + ([CropStyle(min(options.scales), False)] if options.cut_out else [])


def _crops(
    views: Sequence[View],
    ids: Int[np.ndarray, " k"],
    chosen: Sequence[Sequence[tuple[int, float]]],
    styles: Sequence[CropStyle],
) -> Iterator[tuple[CropOfObject, np.ndarray]]:
    """View by view, so that each is looked at once and forgotten."""
    in_view: dict[int, list[tuple[int, float]]] = {}
    for row, own in enumerate(chosen):
        for view, score in own:
            in_view.setdefault(view, []).append((int(ids[row]), score))
    for number in sorted(in_view):
        look = views[number].look()
        for id, score in in_view[number]:
            for box, background, picture in crops_of(look.image, look.rendered == id, styles):
                yield CropOfObject(id, views[number].frame, box, background, score), picture


def _unit(vector: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-12 else vector
