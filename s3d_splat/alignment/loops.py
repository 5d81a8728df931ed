"""Places that were seen again: keyframes that look alike or stand together, and what they measure of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float

from s3d_splat.alignment.keyframes import Keyframe
from s3d_splat.alignment.pair import PairEdge, measure

Advance = Callable[[int, int], None]

NEIGHBOURS = (1, 2, 3)  # keyframes onwards that each keyframe is compared with
RECENT = 8  # keyframes that are no place seen again
_ALIKE, _NEAR = 3, 3  # candidates of each keyframe that look alike, that stand together
_VIEW, _REACH = np.cos(np.deg2rad(50.0)), 0.8  # standing together: angle between views, distance as a share of the depth


def in_sequence(count: int) -> list[tuple[int, int]]:
    """Pairs of keyframes that follow each other."""
    return [(place, place + step) for place in range(count) for step in NEIGHBOURS if place + step < count]


def alike(signatures: Float[np.ndarray, "k d"]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of keyframes that look alike, three for every keyframe at most."""
    pairs = []
    for later in range(RECENT + 1, len(signatures)):
        likeness = signatures[: later - RECENT] @ signatures[later]
        pairs += [(int(earlier), later) for earlier in np.argsort(-likeness)[:_ALIKE]]
    return pairs


def together(
    poses: Float[np.ndarray, "k 4 4"], signatures: Float[np.ndarray, "k d"], unit: float, known: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pairs of keyframes that look the same way from nearly the same place; of those the three that look most alike.

    Args:
        poses: T_world_camera.
        unit: the median depth in the world.
        known: pairs that were looked at already.
    """
    done = set(known)
    pairs = []
    for later in range(RECENT + 1, len(poses)):
        before = slice(0, later - RECENT)
        facing = poses[before, :3, 2] @ poses[later, :3, 2] > _VIEW
        near = np.linalg.norm(poses[before, :3, 3] - poses[later, :3, 3], axis=1) < _REACH * unit
        places = np.flatnonzero(facing & near)
        ranked = places[np.argsort(-(signatures[places] @ signatures[later]))]
        pairs += [(int(k), later) for k in ranked[:_NEAR] if (int(k), later) not in done]
    return pairs


def measured(
    pairs: Sequence[tuple[int, int]],
    keyframes: Sequence[Keyframe],
    rng: np.random.Generator,
    advance: Advance | None = None,
) -> list[PairEdge]:
    """The pairs whose images bear out that they show one place."""
    found = []
    for done, (first, second) in enumerate(pairs):
        edge = measure(first, second, (keyframes[first], keyframes[second]), rng)
        if edge is not None:
            found.append(edge)
        if advance is not None:
            advance(done + 1, len(pairs))
    return found
