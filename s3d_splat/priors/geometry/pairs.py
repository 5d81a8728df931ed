"""Which images of a cluster are worth matching.

Matching costs most of structure from motion, and most pairs of a long cluster show different things. Images that look
alike are found by matching a few large features only (preemptive matching: C. Wu, "Towards linear-time incremental
structure from motion", 3DV 2013).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from s3d_splat.priors.geometry.features import PREVIEW
from s3d_splat.priors.geometry.options import ColmapOptions

_MIN_MATCHES = 4  # of them, for images to look alike
_MAX_RATIO = 0.8  # D. Lowe's test: the best match is so much closer than the second best
_BLOCK = 5  # at most one image of so many consecutive ones counts as similar: neighbours would crowd out other times

Descriptors = UInt8[np.ndarray, "_ 128"]


def candidate_pairs(descriptors: Sequence[Descriptors], options: ColmapOptions) -> list[tuple[int, int]]:
    """Pairs i < j of images, in ascending order: all of them in a small cluster, else neighbours and look-alikes.

    Args:
        descriptors: of each image, the largest features first.
    """
    count = len(descriptors)
    if count <= options.exhaustive_up_to:
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    near = {(i, j) for i in range(count) for j in range(i + 1, min(count, i + options.overlap + 1))}
    scores = similarity(descriptors)
    i, j = np.indices(scores.shape)
    scores[np.abs(i - j) <= options.overlap] = 0
    alike = {
        (min(first, second), max(first, second))
        for first in range(count)
        for second in _best_of_blocks(scores[first], options.similar)
    }
    return sorted(near | alike)


def similarity(descriptors: Sequence[Descriptors]) -> Int[np.ndarray, "n n"]:
    """How many of the largest features of each two images are each other's nearest neighbour and pass the ratio test."""
    unit = np.zeros((len(descriptors), PREVIEW, 128), np.float32)
    for row, image in zip(unit, descriptors, strict=True):
        few = image[:PREVIEW].astype(np.float32)
        row[: len(few)] = few / np.maximum(np.linalg.norm(few, axis=1, keepdims=True), 1e-6)
    scores = np.zeros((len(unit), len(unit)), np.int64)
    for i in range(len(unit)):
        scores[i, i + 1 :] = _matches(unit[i], unit[i + 1 :])
    return scores + scores.T


def _matches(image: Float[np.ndarray, "k 128"], others: Float[np.ndarray, "n k 128"]) -> Int[np.ndarray, " n"]:
    """The number of matches of one image with each of the others."""
    if not len(others):
        return np.zeros(0, np.int64)
    cosines = np.einsum("kd,nld->nkl", image, others, optimize=True)  # of unit vectors: distance^2 = 2 - 2 cosine
    best_two = np.partition(cosines, -2, axis=2)[:, :, -2:]
    passes = 2 - 2 * best_two[:, :, 1] < _MAX_RATIO**2 * (2 - 2 * best_two[:, :, 0])
    forward, backward = cosines.argmax(axis=2), cosines.argmax(axis=1)
    mutual = np.take_along_axis(backward, forward, axis=1) == np.arange(len(image))
    return (passes & mutual & image.any(axis=1)).sum(axis=1)


def _best_of_blocks(scores: Int[np.ndarray, " n"], limit: int) -> list[int]:
    """The most similar images, at most one from each block of consecutive ones."""
    starts = range(0, len(scores), _BLOCK)
    winners = np.array([start + int(scores[start : start + _BLOCK].argmax()) for start in starts])
    order = winners[np.argsort(-scores[winners], kind="stable")][:limit]
    return [int(index) for index in order if scores[index] >= _MIN_MATCHES]
