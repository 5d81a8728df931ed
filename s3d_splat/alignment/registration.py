"""The Sim(3) between two clusters that hold some of the same images.

In such an image the same pixel is the same point, and the two cameras are one. Points find the similarity where outliers are
many; the cameras then say it more exactly: their rotations do not suffer from the depth's scale, nor does the distance they
travelled, which is weighed against the depth for the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.alignment.matches import Measured, PointPairs, shared_points
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import exponential, rotation_vectors, similarity, transformed
from s3d_splat.geometry.similarity_fit import robust_fit
from s3d_splat.types import PosedCluster

Advance = Callable[[int, int], None]

TOLERANCE = 0.05  # share of the distance from the camera that honest points keep within, an image's own scale error aside
_IMAGES = 12  # of an overlap that are read
_SPREAD = 0.02  # of images' depth scales about their cluster's, usually
_FLOOR = 0.002  # relative error of a scale that nothing here can go below
_AGREEING = 0.3  # least share of the points that agree
_POINTS = 12  # fewest points that agree
_POINTS_OF_PATH = 3  # fewest camera centres that give a scale
_STIFF = 2.0  # errors along a path add up: it tells less than independent errors would


@dataclass(frozen=True)
class Overlap:
    """Images that two clusters share, with their cameras in both gauges and their points where depth is known."""

    names: tuple[str, ...]
    first: Float[np.ndarray, "k 4 4"]  # T_first_camera
    second: Float[np.ndarray, "k 4 4"]
    points: tuple[PointPairs | None, ...]


def members(cluster: PosedCluster) -> dict[str, Measured]:
    """The images of a cluster by file name."""
    sparse = cluster.sparse or (None,) * len(cluster.frames)
    return {name_of(f.file_path): Measured(f, s) for f, s in zip(cluster.frames, sparse, strict=True)}


def name_of(file_path: str) -> str:
    """The name of an image in the scene folder: its path without `images/`."""
    return file_path.removeprefix("images/")


def pose_of(measured: Measured) -> Float[np.ndarray, "4 4"]:
    """T_gauge_camera in float64."""
    return np.asarray(measured.frame.camera.T_world_camera.double().numpy())


def overlap_edges(
    clusters: Sequence[PosedCluster], rng: np.random.Generator, advance: Advance | None = None
) -> tuple[Edge, ...]:
    """An edge for every two clusters that share images, in the order of the clusters.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than its camera.
    """
    tables = [members(cluster) for cluster in clusters]
    pairs = [
        (a, b, shared)
        for a in range(len(tables))
        for b in range(a + 1, len(tables))
        if (shared := [name for name in tables[a] if name in tables[b]])
    ]
    edges = []
    for done, (a, b, shared) in enumerate(pairs):
        edges.append(register(a, b, read_overlap(tables[a], tables[b], shared), rng))
        if advance is not None:
            advance(done + 1, len(pairs))
    return tuple(edges)


def read_overlap(first: dict[str, Measured], second: dict[str, Measured], shared: Sequence[str]) -> Overlap:
    """At most 12 of the shared images, evenly chosen."""
    count = min(len(shared), _IMAGES)
    names = tuple(shared[int(place)] for place in np.rint(np.linspace(0, len(shared) - 1, count)))
    return Overlap(
        names,
        np.stack([pose_of(first[name]) for name in names]),
        np.stack([pose_of(second[name]) for name in names]),
        tuple(shared_points(first[name], second[name]) for name in names),
    )


def register(first: int, second: int, overlap: Overlap, rng: np.random.Generator) -> Edge:
    """The similarity of one overlap, and whether the images bear it out."""
    middle = overlap.names[len(overlap.names) // 2]
    ratios = np.array([points.log_ratio() for points in overlap.points if points is not None])
    candidates = [] if (T := by_cameras(overlap, ratios)) is None else [T]
    if not candidates and np.abs(overlap.first - overlap.second).max() <= 1e-9 * np.abs(overlap.first).max():
        candidates = [np.eye(4)]  # they stand in one place, but in the same one in both
    if not len(ratios):
        reason = "" if candidates else "no depth in the shared images, and their cameras stand too close to give the scale"
        T_known = torch.from_numpy(candidates[0] if candidates else np.eye(4))
        return Edge("overlap", first, second, T_known, (middle, middle), 0, 0.0, not reason, reason)
    pairs = _gathered(overlap, float(np.median(ratios)))
    if (fit := robust_fit(pairs.second, pairs.first, TOLERANCE * pairs.distance, pairs.confidence, rng)) is not None:
        candidates.append(fit.T_target_source)
    if not candidates:
        T_none = torch.eye(4, dtype=torch.float64)
        return Edge("overlap", first, second, T_none, (middle, middle), 0, 0.0, False, "too few pixels with depth in both")
    residuals = [pairs.residuals(candidate) for candidate in candidates]
    # The cameras are believed unless the points are much happier without them, as where an image was posed wrongly.
    chosen = int(len(candidates) == 2 and np.median(residuals[1]) < 0.5 * np.median(residuals[0]) - _FLOOR)
    return _judged(first, second, candidates[chosen], residuals[chosen], middle)


def by_cameras(overlap: Overlap, log_ratios: Float[np.ndarray, " r"]) -> Float[np.ndarray, "4 4"] | None:
    """The similarity from shared cameras: mean rotation, scale from distances and depth, shift from the centres.

    Args:
        log_ratios: log(depth in the first gauge / depth in the second) of the images where both are known.

    Returns:
        None where nothing tells the scale.
    """
    turns = overlap.first[:, :3, :3] @ overlap.second[:, :3, :3].transpose(0, 2, 1)
    rotation = mean_rotation(turns)
    centres, centres_second = overlap.first[:, :3, 3], overlap.second[:, :3, 3] @ rotation.T
    estimates = [e for e in (_scale_of_depth(log_ratios), _scale_of_path(centres, centres_second)) if e is not None]
    if not estimates:
        return None
    values, errors = np.array(estimates).T
    scale = float(np.exp(np.average(values, weights=errors**-2)))
    offsets = centres - scale * centres_second
    return similarity(scale, rotation, robust_mean(offsets))


def mean_rotation(rotations: Float[np.ndarray, "k 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation with the least sum of angles to the given ones (Weiszfeld's steps from the middle one)."""
    angles = np.linalg.norm(rotation_vectors(rotations[:, None] @ rotations.transpose(0, 2, 1)), axis=-1).sum(1)
    mean = rotations[int(angles.argmin())]
    for _ in range(10):
        away = rotation_vectors(rotations @ mean.T)
        weight = 1.0 / np.maximum(np.linalg.norm(away, axis=1), 1e-3)
        step = (weight[:, None] * away).sum(0) / weight.sum()
        mean = exponential(np.concatenate([np.zeros(3), step, np.zeros(1)]))[:3, :3] @ mean
    return mean


def robust_mean(values: Float[np.ndarray, "k d"]) -> Float[np.ndarray, " d"]:
    """The mean with Huber's weights, the threshold at the median distance from the median."""
    mean = np.median(values, axis=0)
    for _ in range(10):
        distance = np.linalg.norm(values - mean, axis=1)
        limit = 1.5 * np.median(distance)
        weight = np.minimum(1.0, limit / np.maximum(distance, 1e-12)) if limit > 0 else (distance <= 0).astype(np.float64)
        mean = (weight[:, None] * values).sum(0) / weight.sum()
    return np.asarray(mean)


@dataclass(frozen=True)
class _Gathered:
    """The points of all images of an overlap, in the two gauges."""

    first: Float[np.ndarray, "n 3"]
    second: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, " n"]  # from the camera, in the first gauge
    confidence: Float[np.ndarray, " n"]

    def residuals(self, T: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, " n"]:
        """Distance after moving the second to the first, as a share of the distance from the camera."""
        return np.asarray(np.linalg.norm(transformed(T, self.second) - self.first, axis=1) / self.distance)


def _gathered(overlap: Overlap, log_ratio: float) -> _Gathered:
    """An image's own scale error is taken out: it moves all its points alike, and would count for many."""
    rows = []
    for pose, pose_second, points in zip(overlap.first, overlap.second, overlap.points, strict=True):
        if points is None:
            continue
        own = np.exp(points.log_ratio() - log_ratio)
        first, second = transformed(pose, points.first), transformed(pose_second, points.second * own)
        rows.append((first, second, np.linalg.norm(points.first, axis=1), points.confidence))
    return _Gathered(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _scale_of_depth(log_ratios: Float[np.ndarray, " r"]) -> tuple[float, float] | None:
    """Log scale and its standard error."""
    if not len(log_ratios):
        return None
    middle, count = float(np.median(log_ratios)), len(log_ratios)
    spread = 1.48 * float(np.median(np.abs(log_ratios - middle)))
    # A few images can agree by chance: what is usual counts as much as four of them.
    variance = (count * spread**2 + 4 * _SPREAD**2) / (count + 4)
    return middle, max(1.25 * float(np.sqrt(variance / count)), _FLOOR)


def _scale_of_path(
    centres: Float[np.ndarray, "k 3"], centres_second: Float[np.ndarray, "k 3"]
) -> tuple[float, float] | None:
    """Log scale and its standard error, from camera centres whose axes are parallel; None where they hardly move."""
    a, b = centres - centres.mean(0), centres_second - centres_second.mean(0)
    spread, along = np.square(b).sum(), (a * b).sum()
    if len(a) < _POINTS_OF_PATH or along <= 0.5 * np.sqrt(spread * np.square(a).sum()):
        return None
    scale = along / spread
    apart = np.square(a - scale * b).sum() / (3 * len(a) - 7)
    return float(np.log(scale)), max(float(np.sqrt(apart / (scale * scale * spread)) * _STIFF), _FLOOR)


def _judged(first: int, second: int, T: np.ndarray, residuals: np.ndarray, image: str) -> Edge:
    agreeing = residuals < TOLERANCE
    count, share = int(agreeing.sum()), float(agreeing.mean())
    residual = float(np.median(residuals[agreeing])) if count else float(np.median(residuals))
    reason = ""
    if count < _POINTS:
        reason = f"only {count} points agree; {_POINTS} are needed"
    elif share < _AGREEING:
        reason = f"only {share:.0%} of the points agree; {_AGREEING:.0%} are needed"
    return Edge("overlap", first, second, torch.from_numpy(T), (image, image), count, residual, not reason, reason)
