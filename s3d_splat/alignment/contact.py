"""Keyframes laid on each other by the surfaces that both see, once their poses are nearly right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from s3d_splat.alignment.keyframes import Keyframe
from s3d_splat.alignment.pair import COMMON_ERROR, PairEdge
from s3d_splat.alignment.surfaces import laid_on, overlapping
from s3d_splat.geometry.similarity import inverse

Advance = Callable[[int, int], None]

_PARTNERS = 8  # earlier keyframes for every keyframe


def touching(
    keyframes: Sequence[Keyframe],
    T_world_keyframe: Float[np.ndarray, "k 4 4"],
    reach: int | None = None,
    advance: Advance | None = None,
) -> list[PairEdge]:
    """Pairs of keyframes whose surfaces agree on a similarity near that of their poses.

    Args:
        T_world_keyframe: Sim(3), whose scale is the unit of the keyframe's depth.
        reach: how many keyframes apart the two may be; None: any number.
    """
    surfaces = {place: keyframe.surface for place, keyframe in enumerate(keyframes) if keyframe.surface is not None}
    pairs = overlapping(surfaces, T_world_keyframe, _PARTNERS, len(keyframes) if reach is None else reach)
    found = []
    for done, (first, second) in enumerate(pairs):
        fit = laid_on(surfaces[first], surfaces[second], inverse(T_world_keyframe[first]) @ T_world_keyframe[second])
        if fit is not None:
            depth = float(np.median(surfaces[second].centres[:, 2]))
            units = np.array([depth] * 3 + [1.0] * 4)
            # a motion along the surfaces shows in none of them: it is given an error of the depth, or of a radian
            covariance = np.linalg.inv(fit.information + np.diag(units**-2)) + np.diag((COMMON_ERROR * units) ** 2)
            found.append(PairEdge(first, second, fit.T_first_second, covariance, fit.patches, fit.residual, depth))
        if advance is not None:
            advance(done + 1, len(pairs))
    return found
