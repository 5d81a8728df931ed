"""Clusters bent to agree: the graph of images built from what clusters say and what keyframes show of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from s3d_splat.alignment.frame_graph import FrameState, Sightings, Steps, Units, refine, sighting_errors
from s3d_splat.alignment.keyframes import Keyframe
from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.pair import PairEdge
from s3d_splat.alignment.registration import mean_rotation, pose_of, robust_mean
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import moved_pose, rotation_of, rotation_vectors, scale_of, similarity

_DRIFT = (np.deg2rad(0.1), 0.01)  # of a step, radians and share of its length, where no two clusters can be compared
_LENS = 0.02  # the share of `lens_error`, where no cluster holds both images of a pair
_ADDING = 2.0  # drift goes one way for a while: a step's error counts as this many independent ones
_FLOOR = 1e-4  # radians, or share of the depth: no step is more exact


@dataclass(frozen=True)
class Given:
    """What is known before clusters are bent."""

    tables: Sequence[Mapping[str, Measured]]
    units: Sequence[float]  # the median depth of each cluster, in its gauge
    names: Sequence[str]  # of the posed images, in the order of time
    trusted: Sequence[int]  # the cluster that knows each best
    edges: Sequence[Edge]  # between clusters


@dataclass(frozen=True)
class Bent:
    """The result: a pose for every image and a unit for every cluster."""

    poses: Float[np.ndarray, "n 4 4"]  # T_world_camera
    scales: Float[np.ndarray, " k"]  # world units for one of each cluster's


def unbent(given: Given, gauges: Sequence[Float[np.ndarray, "4 4"]]) -> Bent:
    """Every image where its most trusted cluster has it."""
    pairs = zip(given.names, given.trusted, strict=True)
    poses = [moved_pose(gauges[k], pose_of(given.tables[k][name])) for name, k in pairs]
    return Bent(np.stack(poses), np.array([float(scale_of(gauge)) for gauge in gauges]))


def bend(
    given: Given, start: Bent, keyframes: Sequence[Keyframe], pairs: Sequence[PairEdge]
) -> tuple[Bent, Float[np.ndarray, " p"]]:
    """Poses that agree with the clusters' own motions and with what pairs of keyframes show.

    Returns:
        The poses, and how far each pair is from them, in sigmas.
    """
    trusted = np.array(given.trusted)
    images = start.poses.copy()
    images[:, :3, :3] *= start.scales[trusted][:, None, None]
    sightings = _sightings(given, keyframes, pairs)
    units = _units(given, trusted)
    state = refine(FrameState(images, np.log(start.scales)), _steps(given), sightings, units)
    poses = state.images.copy()
    poses[:, :3, :3] = rotation_of(poses)
    errors = sighting_errors(state, sightings) if len(sightings) else np.zeros(0)
    return Bent(poses, np.exp(state.units)), errors


def fitted_gauges(given: Given, bent: Bent) -> list[Float[np.ndarray, "4 4"]]:
    """The Sim(3) of every cluster that suits its bent images best; that of a cluster without images is the identity."""
    places = {name: place for place, name in enumerate(given.names)}
    gauges = []
    for table, scale in zip(given.tables, bent.scales, strict=True):
        if not table:
            gauges.append(np.eye(4))
            continue
        own = np.stack([pose_of(measured) for measured in table.values()])
        world = bent.poses[[places[name] for name in table]]
        rotation = mean_rotation(world[:, :3, :3] @ own[:, :3, :3].transpose(0, 2, 1))
        shift = robust_mean(world[:, :3, 3] - scale * own[:, :3, 3] @ rotation.T)
        gauges.append(similarity(float(scale), rotation, shift))
    return gauges


def drift(given: Given) -> tuple[float, float]:
    """The errors of a step from one image to the next: radians, and a share of its length.

    Clusters that share several images say twice how the camera went from the first to the last of them; what they differ by
    is the error of both. Clusters that agree are trusted more than what single pairs of images show.
    """
    found = []
    for edge in given.edges:
        first, second = given.tables[edge.first], given.tables[edge.second]
        shared = [name for name in first if name in second]
        if not edge.accepted or edge.kind != "overlap" or len(shared) < 3:
            continue
        a, b = (np.stack([pose_of(table[name]) for name in shared]) for table in (first, second))
        length = float(np.linalg.norm(np.diff(a[:, :3, 3], axis=0), axis=1).sum())
        (turn, shift), (turn_second, shift_second) = (_relative(p[0], p[-1]) for p in (a, b))
        angle = float(np.linalg.norm(rotation_vectors(turn.T @ turn_second)))
        apart = float(np.linalg.norm(shift - float(scale_of(edge.T_first_second.numpy())) * shift_second))
        found.append((angle / (len(shared) - 1), apart / max(length, _FLOOR * given.units[edge.first])))
    if not found:
        return _DRIFT
    angle, share = np.median(np.array(found), axis=0) / np.sqrt(2)
    return float(angle), float(min(share, 0.5))


def _steps(given: Given) -> Steps:
    places = {name: place for place, name in enumerate(given.names)}
    angle, share = (_ADDING * value for value in drift(given))
    rows = []
    for cluster, (table, unit) in enumerate(zip(given.tables, given.units, strict=True)):
        order = list(table)
        poses = [pose_of(table[name]) for name in order]
        for place in range(len(order) - 1):
            turn, shift = _relative(poses[place], poses[place + 1])
            shift_sigma = max(share * float(np.linalg.norm(shift)), _FLOOR * unit)
            ends = (places[order[place]], places[order[place + 1]])
            rows.append((cluster, *ends, turn, shift, max(angle, _FLOOR), shift_sigma))
    columns = list(zip(*rows, strict=True)) or [()] * 7
    clusters, first, second = (np.array(column, dtype=np.int64) for column in columns[:3])
    turns, shifts = np.array(columns[3]).reshape(-1, 3, 3), np.array(columns[4]).reshape(-1, 3)
    return Steps(clusters, first, second, turns, shifts, *(np.array(column, dtype=np.float64) for column in columns[5:]))


def lens_error(given: Given, keyframes: Sequence[Keyframe], pairs: Sequence[PairEdge]) -> float:
    """By which share of the motion between them two images are wrong about it.

    What a pair shows is compared with what a cluster says that holds both. A focal length that is not quite right, or depth
    that is not quite in register, misleads all pairs alike, and the more the farther they are apart; points do not help.
    """
    shares = []
    for pair in pairs:
        first, second = keyframes[pair.first], keyframes[pair.second]
        table = given.tables[first.cluster]
        if second.name in table:
            turn, _ = _relative(pose_of(table[first.name]), pose_of(table[second.name]))
            off = rotation_vectors(turn.T @ rotation_of(pair.T_first_second))
            shares.append(float(np.linalg.norm(off)) / max(pair.motion, 1e-3))
    return float(np.median(shares)) if shares else _LENS


def _sightings(given: Given, keyframes: Sequence[Keyframe], pairs: Sequence[PairEdge]) -> Sightings:
    if not pairs:
        none = np.zeros(0, np.int64)
        return Sightings(none, none, np.zeros((0, 4, 4)), np.zeros((0, 7, 7)))
    motion = lens_error(given, keyframes, pairs) * np.array([pair.motion for pair in pairs])
    depth = np.array([pair.depth for pair in pairs])
    sigmas = np.stack([motion * depth] * 3 + [motion] * 3 + [0.0 * motion], axis=1) / np.sqrt(3)
    covariance = np.stack([pair.covariance for pair in pairs]) + np.square(sigmas)[:, :, None] * np.eye(7)
    return Sightings(
        np.array([keyframes[pair.first].image for pair in pairs]),
        np.array([keyframes[pair.second].image for pair in pairs]),
        np.stack([pair.T_first_second for pair in pairs]),
        np.linalg.cholesky(np.linalg.inv(covariance)).transpose(0, 2, 1),
    )


def _units(given: Given, trusted: np.ndarray) -> Units:
    kept = [edge for edge in given.edges if edge.accepted and edge.kind == "overlap"]
    first, second = (np.array([getattr(edge, end) for edge in kept], dtype=np.int64) for end in ("first", "second"))
    ratios = np.array([-np.log(float(scale_of(edge.T_first_second.numpy()))) for edge in kept])
    return Units(np.arange(len(trusted)), trusted, first, second, ratios)


def _relative(
    first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """Rotation and shift of the second camera in the axes of the first."""
    return first[:3, :3].T @ second[:3, :3], first[:3, :3].T @ (second[:3, 3] - first[:3, 3])
