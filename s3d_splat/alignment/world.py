"""The world that clusters are brought into: its origin, its upright axis, its unit, and its images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.registration import pose_of
from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.geometry.similarity import rotation_vectors, scale_of, similarity
from s3d_splat.types import Frame, SparseDepth

_SAME = 1e-3  # radians, or share of the depth: cameras that are no farther apart are one
_SAME_UNIT = 0.1  # logarithm of a scale that depth may be wrong by


def upright(poses: Float[np.ndarray, "n 4 4"], scales: Float[np.ndarray, " k"]) -> Float[np.ndarray, "4 4"]:
    """The similarity after which the scales have the geometric mean 1, cameras stand upright on average (+z is up), and the
    mean camera centre is the origin.

    Args:
        poses: T_world_camera, in a world that is to be replaced.
        scales: of the clusters, in that world.
    """
    from scipy.spatial.transform import Rotation

    up = -poses[:, :3, 1].mean(0)
    rotation = np.eye(3)
    if np.linalg.norm(up) > 1e-6:
        # The smaller of the turns that do it: about the axis across both directions.
        axis = np.cross(up / np.linalg.norm(up), [0.0, 0.0, 1.0])
        sine, cosine = np.linalg.norm(axis), up[2] / np.linalg.norm(up)
        axis = axis / sine if sine > 1e-9 else np.array([1.0, 0.0, 0.0])
        rotation = Rotation.from_rotvec(axis * np.arctan2(sine, cosine)).as_matrix()
    scale = float(np.exp(-np.log(scales).mean()))
    return similarity(scale, rotation, -scale * rotation @ poses[:, :3, 3].mean(0))


def is_one_gauge(
    first: Mapping[str, Measured], second: Mapping[str, Measured], T_first_second: Float[np.ndarray, "4 4"], unit: float
) -> bool:
    """Whether two clusters have the same cameras for the images that they share (to 0.001 radians and `unit`s of length).

    One camera alone could be the same by choice of both gauges, with another unit of length: the measured similarity must
    not say so.
    """
    a, b = (np.stack([pose_of(table[name]) for name in first if name in second]) for table in (first, second))
    turn = np.linalg.norm(rotation_vectors(a[:, :3, :3].transpose(0, 2, 1) @ b[:, :3, :3]), axis=1)
    shift = np.linalg.norm(a[:, :3, 3] - b[:, :3, 3], axis=1) / unit
    return bool(max(turn.max(), shift.max()) < _SAME and abs(np.log(scale_of(T_first_second))) < _SAME_UNIT)


def world_frames(
    names: Sequence[str],
    tables: Sequence[Mapping[str, Measured]],
    poses: Mapping[str, Float[np.ndarray, "4 4"]] | None,
    scales: Sequence[float],
) -> tuple[WorldFrame, ...]:
    """All images that some cluster has posed, in the order of `names`.

    Args:
        tables: the images of each cluster, in its order.
        poses: T_world_camera of every image; None: each as its most trusted cluster has it, to the last bit.
        scales: world units for one unit of each cluster's gauge.
    """
    depth = [_distance_from_ends(list(table)) for table in tables]
    frames = []
    for index, name in enumerate(names):
        holders = sorted((k for k, table in enumerate(tables) if name in table), key=lambda k: -depth[k][name])
        if not holders:
            continue
        given = tables[holders[0]][name].frame.camera.T_world_camera
        pose = given if poses is None else torch.from_numpy(poses[name])
        sources = tuple(_source(k, tables[k][name], pose, scales[k]) for k in holders)
        frames.append(WorldFrame(name, index, sources[0].frame.camera, sources))
    return tuple(frames)


def _distance_from_ends(order: list[str]) -> dict[str, int]:
    """How many images of the cluster lie between an image and the nearer end."""
    return {name: min(place, len(order) - 1 - place) for place, name in enumerate(order)}


def _source(cluster: int, measured: Measured, pose: torch.Tensor, scale: float) -> Source:
    frame: Frame = measured.frame
    camera = dataclasses.replace(frame.camera, T_world_camera=pose)
    if scale == 1.0:
        return Source(cluster, dataclasses.replace(frame, camera=camera), measured.sparse)
    sparse = measured.sparse
    if sparse is not None:
        sparse = SparseDepth(sparse.pixels, sparse.depth * scale, sparse.point)
    return Source(cluster, dataclasses.replace(frame, camera=camera, depth_scale=frame.depth_scale * scale), sparse)
