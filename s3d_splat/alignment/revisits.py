"""Edges between clusters that saw one place, from pairs of keyframes that did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.alignment.keyframes import Keyframe
from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.pair import PairEdge
from s3d_splat.alignment.pose_graph import disagreement
from s3d_splat.alignment.registration import pose_of
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import inverse, similarity

_SURE = 40  # points that need no other pair of images to bear them out
_KEPT = 6  # edges for two clusters, those with the most points
_CONTRADICTED = 8.0  # sigmas from where everything else puts the images


@dataclass(frozen=True)
class Revisit:
    """A pair of keyframes as an edge between their clusters."""

    pair: PairEdge
    edge: Edge


def revisits(
    pairs: Sequence[PairEdge],
    keyframes: Sequence[Keyframe],
    tables: Sequence[Mapping[str, Measured]],
    units: Sequence[float],
) -> list[Revisit]:
    """Edges of kind "loop" between clusters that share no images, at most six for any two clusters.

    One pair of images can be mistaken, where a pattern repeats: an edge with fewer than 40 points is rejected unless another
    pair of images of the two clusters says the same.
    """
    grouped: dict[tuple[int, int], list[PairEdge]] = {}
    for pair in sorted(pairs, key=lambda pair: -pair.matches):
        clusters = (keyframes[pair.first].cluster, keyframes[pair.second].cluster)
        if clusters[0] != clusters[1] and not tables[clusters[0]].keys() & tables[clusters[1]].keys():
            grouped.setdefault(clusters, []).append(pair)
    found = []
    for (first, second), group in grouped.items():
        similarities = [_between(pair, keyframes, tables) for pair in group]
        for place, pair in enumerate(group[:_KEPT]):
            anchor = anchored(tables[second], keyframes[pair.second].name, units[second])
            others = [T for k, T in enumerate(similarities) if k != place]
            borne_out = pair.matches >= _SURE or any(disagreement(similarities[place], T, anchor) < 3 for T in others)
            reason = "" if borne_out else f"only one pair of images with {pair.matches} points says so"
            names = (keyframes[pair.first].name, keyframes[pair.second].name)
            T = torch.from_numpy(similarities[place])
            edge = Edge("loop", first, second, T, names, pair.matches, pair.residual, borne_out, reason)
            found.append(Revisit(pair, edge))
    return found


def anchored(table: Mapping[str, Measured], name: str, unit: float) -> Float[np.ndarray, "4 4"]:
    """The pose of an image in its cluster, with the median depth as the unit of length."""
    pose = pose_of(table[name])
    return similarity(unit, pose[:3, :3], pose[:3, 3])


def judged(edges: Sequence[Edge], errors: Mapping[tuple[str, str], float]) -> tuple[Edge, ...]:
    """The edges; those whose images ended up elsewhere than they say are rejected.

    Args:
        errors: of a pair of images, by their names: sigmas.
    """
    kept = []
    for edge in edges:
        error = errors.get(edge.frames, 0.0)
        if edge.accepted and edge.kind == "loop" and error > _CONTRADICTED:
            reason = f"it contradicts the images around it (by {error:.0f} sigmas)"
            edge = dataclasses.replace(edge, accepted=False, reason=reason)
        kept.append(edge)
    return tuple(kept)


def _between(
    pair: PairEdge, keyframes: Sequence[Keyframe], tables: Sequence[Mapping[str, Measured]]
) -> Float[np.ndarray, "4 4"]:
    """T_first_second of the clusters: from the second gauge to its camera, to the other camera, to the first gauge."""
    first, second = keyframes[pair.first], keyframes[pair.second]
    pose, pose_second = pose_of(tables[first.cluster][first.name]), pose_of(tables[second.cluster][second.name])
    return np.asarray(pose @ pair.T_first_second @ inverse(pose_second))
