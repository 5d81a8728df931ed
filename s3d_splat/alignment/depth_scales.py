"""The scale of every depth image: images that show the same surfaces must agree about where these lie.

Each (cluster, image) has one unknown, the logarithm of the factor on its depth. Two sources of one image are compared pixel
by pixel, and an image is compared with a few others by projecting its points into them. The factors that explain all these
ratios best, by a robust least-squares fit with a prior towards no change, are the correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from s3d_splat.alignment.pixels import source_depth
from s3d_splat.alignment.thumbnails import Thumbnail, compared_pairs, median_near_zero, ratio_between, thumbnail
from s3d_splat.alignment.values import WorldFrame

Advance = Callable[[int, int], None]

PRIOR = 0.03  # standard deviation of the logarithm of a scale
_PASSES = 3  # points move with the depth, and ratios of images far apart are exact only where they have come to rest
_NOISE = 0.004  # of a ratio between images, beside what its points say: errors of pose and of sampling
_HUBER = 1.5  # standard deviations


@dataclass(frozen=True)
class _Ratio:
    """The log scale of unknown `second` minus that of `first`, as measured."""

    first: int
    second: int
    value: float
    sigma: float


def correct_depth(frames: Sequence[WorldFrame], advance: Advance | None = None) -> tuple[WorldFrame, ...]:
    """Bring the depth images of all sources to one scale, by changing their `depth_scale`.

    The mean of the log scales stays, so that the world keeps its size. Depth that agrees already is left alone up to its own
    noise; a source that nothing can be compared with keeps its scale. Memory: a thumbnail of about 80 x 60 for each image.

    Args:
        frames: all images, in the order of time.
        advance: told of each image that was read.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    count = 0
    unknowns: list[dict[int, int]] = []  # of each frame: by the place of a source, the number of its unknown
    thumbnails: dict[int, Thumbnail] = {}  # by the unknown of the first source with a depth image
    within: list[_Ratio] = []
    for done, frame in enumerate(frames):
        dense = [which for which, source in enumerate(frame.sources) if source.frame.depth_path is not None]
        unknowns.append({which: count + i for i, which in enumerate(dense)})
        if dense:
            first, found = _read(frame, unknowns[-1])
            thumbnails[count] = first
            within += found
        count += len(dense)
        if advance is not None:
            advance(done + 1, len(frames))
    if not thumbnails:
        return tuple(frames)
    factors = np.exp(_solve(thumbnails, within, count))
    return tuple(_rescaled(frame, own, factors) for frame, own in zip(frames, unknowns, strict=True))


def _read(frame: WorldFrame, unknowns: dict[int, int]) -> tuple[Thumbnail, list[_Ratio]]:
    """The thumbnail of an image, and every further source of it against the first one."""
    read = {number: source_depth(frame.sources[which], frame.camera) for which, number in unknowns.items()}
    (base, first), *others = [(number, pair) for number, pair in read.items() if pair is not None]
    known = (first[0] > 0) & (first[1] > 0)
    ratios = []
    for number, (depth, confidence) in others:
        both = known & (depth > 0) & (confidence > 0)
        found = median_near_zero((first[0][both] / depth[both]).log(), window=10 * PRIOR)
        if found is not None:
            ratios.append(_Ratio(base, number, *found))
    return thumbnail(first, frame.camera), ratios


def _rescaled(frame: WorldFrame, unknowns: dict[int, int], factors: Float[np.ndarray, " u"]) -> WorldFrame:
    sources = list(frame.sources)
    for which, number in unknowns.items():
        given = sources[which].frame
        corrected = replace(given, depth_scale=given.depth_scale * float(factors[number]))
        sources[which] = replace(sources[which], frame=corrected)
    return replace(frame, sources=tuple(sources))


def _solve(thumbnails: dict[int, Thumbnail], within: list[_Ratio], count: int) -> Float[np.ndarray, " u"]:
    """Log factors of all unknowns."""
    numbers, images = list(thumbnails), list(thumbnails.values())
    pairs = compared_pairs(images)
    logs = np.zeros(count)
    for _ in range(_PASSES):
        between = []
        for i, j in pairs:
            first, second = numbers[i], numbers[j]
            found = ratio_between(images[i], images[j], float(logs[first]), float(logs[second]))
            if found is not None:
                before = float(logs[second] - logs[first])
                between.append(_Ratio(first, second, before + found[0], found[1] + _NOISE))
        logs = _fit([*within, *between], count)
    return logs


def _fit(ratios: Sequence[_Ratio], count: int) -> Float[np.ndarray, " u"]:
    """Robust least squares (IRLS with Huber's weights) of the log scales, each with a prior at 0.

    Only differences are measured, so the normal equations make the scales of each connected group sum to 0.
    """
    value, sigma = (np.array([getattr(ratio, name) for ratio in ratios]) for name in ("value", "sigma"))
    edges = np.arange(len(ratios))
    columns = np.array([[ratio.first, ratio.second] for ratio in ratios], dtype=np.int64).reshape(-1, 2)
    signs = np.tile([-1.0, 1.0], len(edges))
    differences = coo_matrix((signs, (np.repeat(edges, 2), columns.ravel())), shape=(len(edges), count)).tocsr()
    logs = np.zeros(count)
    for _ in range(10):
        residual = np.abs(differences @ logs - value) / sigma
        weight = np.minimum(1.0, _HUBER / np.maximum(residual, 1e-12)) / sigma**2
        normal = differences.T @ diags(weight) @ differences + diags(np.full(count, PRIOR**-2.0))
        logs = spsolve(normal.tocsc(), differences.T @ (weight * value))
    return np.atleast_1d(logs)
