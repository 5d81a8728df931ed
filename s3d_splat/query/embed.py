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
_BYTES = 64_000_000  # of pictures that wait, at most, but for the last one
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
    known: InstanceEmbeddings | None = None,
    observe: Callable[[float], None] = lambda share: None,
) -> InstanceEmbeddings:
    """The vectors of the objects `ids` (ascending, the columns of `seen`), with the crops that they come from.

    Objects that are `known` keep their vectors and crops. `observe` is told the share of crops that are done, 0..1.

    Raises:
        ValueError: what is known comes from another encoder.
    """
    if known is not None and known.encoder != encoder.name:
        raise ValueError(f"vectors of {known.encoder} beside those of {encoder.name}")
    place = {} if known is None else {int(id): row for row, id in enumerate(known.id)}
    chosen = [[] if int(id) in place else own for id, own in zip(ids, best_views(seen, options.views), strict=True)]
    records, encoded = _encoded(views, ids, chosen, encoder, _styles(options), observe)
    owner = np.searchsorted(ids, np.array([record.id for record in records], dtype=np.int64))
    weight = np.array([record.weight for record in records])
    vector, spread = np.zeros((len(ids), encoder.dimension)), np.ones(len(ids))
    for row, id in enumerate(ids.tolist()):
        own = np.flatnonzero(owner == row)
        if known is not None and id in place:
            vector[row], spread[row] = known.vector[place[id]], known.spread[place[id]]
        elif len(own):
            vector[row] = spherical_median(encoded[own], weight[own])
            spread[row] = 1 - np.average(encoded[own] @ vector[row], weights=weight[own])
    kept = set(ids.tolist()) & set(place)
    old = tuple(crop for crop in known.crops if crop.id in kept) if known is not None else ()
    frames = tuple(view.frame for view in views)
    return InstanceEmbeddings(encoder.name, ids, vector, spread, (*old, *records), frames, seen.pixels)


def spherical_median(vectors: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """The unit vector with the least weighted sum of distances to unit vectors (Weiszfeld's iteration, on the sphere).

    A crop that shows something else pulls with its weight, however far away it is, and not with its distance as in a mean.
    """
    middle = _unit(weights @ vectors)
    for _ in range(_ROUNDS):
        distance = np.linalg.norm(vectors - middle, axis=1)
        middle = _unit((weights / np.maximum(distance, 1e-9)) @ vectors)
    return middle


def _encoded(
    views: Sequence[View],
    ids: Int[np.ndarray, " k"],
    chosen: Sequence[Sequence[tuple[int, float]]],
    encoder: TextEncoder,
    styles: Sequence[CropStyle],
    observe: Callable[[float], None],
) -> tuple[list[CropOfObject], Float[np.ndarray, "n d"]]:
    """The crops of the chosen views and their vectors; few pictures are in memory at a time."""
    records: list[CropOfObject] = []
    vectors: list[Float[torch.Tensor, "n d"]] = []
    waiting: list[torch.Tensor] = []
    expected = max(sum(len(own) for own in chosen) * len(styles), 1)

    def encode() -> None:
        vectors.append(encoder.encode_pictures(waiting))
        waiting.clear()
        observe(len(records) / expected)

    for record, picture in _crops(views, ids, chosen, styles):
        records.append(record)
        waiting.append(torch.from_numpy(picture))
        if len(waiting) == _AT_ONCE or sum(one.nbytes for one in waiting) >= _BYTES:
            encode()
    encode()
    return records, torch.cat(vectors).double().numpy()


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
