"""How near objects are to words, and when that is near enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.query.options import QueryOptions

EncodeTexts = Callable[[Sequence[str]], Tensor]  # as `TextEncoder.encode_texts`


def text_vectors(
    texts: Sequence[str], encode_texts: EncodeTexts, templates: Sequence[str] = ("{}",)
) -> Float[np.ndarray, "n d"]:
    """Unit vectors of n texts, each the mean of its sentences' vectors (Radford et al. 2021, section 3.1.4).

    Raises:
        S3DError: there is no template, or one has no place for the text.
    """
    if not templates or any("{}" not in template for template in templates):
        raise S3DError(
            f"the templates are {list(templates)}",
            why="each is a sentence with {} where a phrase goes",
            fix='give at least one, such as "a photo of a {}."',
        )
    sentences = [template.replace("{}", text) for text in texts for template in templates]
    vectors = np.asarray(encode_texts(sentences), dtype=np.float64)
    mean = vectors.reshape(len(texts), len(templates), -1).mean(axis=1)
    return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)


def relevancy(
    cosine: Float[np.ndarray, " k"], nearest_negative: Float[np.ndarray, " k"], sharpness: float = 10.0
) -> Float[np.ndarray, " k"]:
    """Kerr et al. 2023 (LERF), section 3.4: the least, over the negatives, of softmax(sharpness · (cosine, negative))[0].

    Args:
        cosine: of each object with the phrase.
        nearest_negative: the largest of its cosines with the negatives; the least softmax is that of this one.
    """
    return 1 / (1 + np.exp(-sharpness * (cosine - nearest_negative)))


def candidates(
    cosine: Float[np.ndarray, " k"],
    nearest_negative: Float[np.ndarray, " k"],
    known: Bool[np.ndarray, " k"],
    options: QueryOptions,
) -> Bool[np.ndarray, " k"]:
    """Which objects a phrase may mean: relevant enough, and not much less so than the best of them.

    What a cosine means depends on the encoder and on the phrase, so the best object is the measure: an object stays if it
    surpasses its nearest negative (and the least relevancy) by at least `margin` of what the best one does.

    Args:
        known: False where nothing is known of the object (its vector is 0).
    """
    least = np.clip(options.least_relevancy, 1e-9, 1 - 1e-9)
    excess = cosine - nearest_negative - np.log(least / (1 - least)) / options.sharpness
    best = excess[known].max(initial=0.0)
    return known & (excess > 0) & (excess >= options.margin * best)


def label_scores(
    vectors: Float[np.ndarray, "k d"], labels: Float[np.ndarray, "c d"], shared: float = 0.25
) -> Float[np.ndarray, "k c"]:
    """How well each label fits each object, to be compared within an object; 0 where an object's vector is 0.

    All pictures of a scene lie near each other and, as it happens, nearer to some words than to others, whatever they show
    (the modality gap of Liang et al. 2022): a `shared` part of the objects' mean vector is taken from each first.

    Args:
        vectors: `InstanceEmbeddings.vector`.
        labels: unit vectors of the labels, such as `text_vectors` gives.
        shared: 0..1; 0 gives plain cosines.
    """
    known = np.linalg.norm(vectors, axis=1) > 0
    mean = vectors[known].mean(axis=0) if known.any() else np.zeros(vectors.shape[1])
    return np.where(known[:, None], (vectors - shared * mean) @ labels.T, 0.0)


def best_labels(
    vectors: Float[np.ndarray, "k d"], labels: Float[np.ndarray, "c d"]
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """The label that fits each object best (`label_scores`), and its cosine; (-1, 0) where the object's vector is 0."""
    best = label_scores(vectors, labels).argmax(axis=1)
    known = np.linalg.norm(vectors, axis=1) > 0
    return np.where(known, best, -1), np.where(known, np.einsum("kd,kd->k", vectors, labels[best]), 0.0)
