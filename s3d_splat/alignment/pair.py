"""The Sim(3) between two images, from corners that both see and that have depth in both.

Points in space find it among wrong matches (RANSAC); then the error in both images' pixels is made small, with the depth
left to say what the pixels cannot, the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.alignment.keyframes import Keyframe
from s3d_splat.geometry.similarity import (
    cross_matrix,
    exponential,
    inverse,
    rotation_of,
    rotation_vectors,
    scale_of,
    transformed,
)
from s3d_splat.geometry.similarity_fit import robust_fit
from s3d_splat.types import Camera

_RATIO = 0.85  # of the distances to the best and the second match
_TOLERANCE = 0.06  # share of the distance from the camera: honest points in space
_PIXELS = 0.008  # of the image's width: honest points in the image
_LEAST = 15  # points that must agree
_SPREAD = 0.06  # of the image's width: how far they must lie apart (standard deviation along the shorter direction)
_ROUNDS = 8  # of Gauss-Newton, at most
_DEPTH_SIGMA = 0.03  # of a point's depth
# errors that all points of two images share: shares of the depth, radians, logarithm of the scale
COMMON_ERROR = np.array([0.0012] * 3 + [np.deg2rad(0.025)] * 3 + [0.0015])


@dataclass(frozen=True)
class PairEdge:
    """A measured Sim(3) between two images, T_first_second in the units of their clusters, with its covariance."""

    first: int  # places among the keyframes
    second: int
    T_first_second: Float[np.ndarray, "4 4"]
    covariance: Float[np.ndarray, "7 7"]  # of x in T_first_second exponential(x)
    matches: int
    residual: float  # median distance of the points in space, as a share of their depth
    depth: float  # median, in the second's unit

    @property
    def motion(self) -> float:
        """How far the images are apart: the angle, and the distance as a share of the depth."""
        angle = float(np.linalg.norm(rotation_vectors(rotation_of(self.T_first_second))))
        distance = float(np.linalg.norm(self.T_first_second[:3, 3]) / scale_of(self.T_first_second))
        return angle + distance / self.depth


def measure(first: int, second: int, keyframes: tuple[Keyframe, Keyframe], rng: np.random.Generator) -> PairEdge | None:
    """The similarity between two keyframes; None where too few corners agree on one."""
    a, b = keyframes
    rows, columns = matches(a.descriptors, b.descriptors)
    if len(rows) < _LEAST:
        return None
    target, source = a.points[rows], b.points[columns]
    distance = np.linalg.norm(target, axis=1)
    fit = robust_fit(source, target, _TOLERANCE * distance, np.ones(len(rows)), rng, samples=96)
    if fit is None or np.count_nonzero(fit.inliers) < _LEAST:
        return None
    pairs = _Pairs(a.camera, b.camera, target, source, a.pixels[rows], b.pixels[columns])
    T, hessian = pairs.refined(fit.T_target_source, fit.residuals < 2)
    agreeing = pairs.agreeing(T)
    if np.count_nonzero(agreeing) < _LEAST or not _spread(pairs, agreeing):
        return None
    depth = float(np.median(source[agreeing, 2]))
    floor = COMMON_ERROR * np.array([depth] * 3 + [1.0] * 4)
    covariance = np.linalg.inv(hessian + 1e-9 * np.eye(7)) + np.diag(floor**2)
    apart = np.linalg.norm(transformed(T, source) - target, axis=1)[agreeing] / distance[agreeing]
    return PairEdge(first, second, T, covariance, int(agreeing.sum()), float(np.median(apart)), depth)


def matches(a: np.ndarray, b: np.ndarray) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Rows of two sets of descriptors that are each other's nearest, the second nearest being clearly farther."""
    none = np.zeros(0, np.int64)
    if len(a) < 2 or len(b) < 2:
        return none, none
    left, right = a.astype(np.float32) / 255, b.astype(np.float32) / 255
    likeness = left @ right.T
    best = likeness.argmax(1)
    rows = np.arange(len(a))
    mutual = likeness.argmax(0)[best] == rows
    top = likeness[rows, best]
    likeness[rows, best] = -1.0
    runner_up = likeness.max(1)
    # descriptors have length 1: the squared distance is 2 - 2 likeness
    clear = (1.0 - top) < _RATIO**2 * (1.0 - runner_up)
    kept = np.flatnonzero(mutual & clear)
    return kept, best[kept]


@dataclass(frozen=True)
class _Pairs:
    a: Camera
    b: Camera
    points_a: Float[np.ndarray, "n 3"]
    points_b: Float[np.ndarray, "n 3"]
    pixels_a: Float[np.ndarray, "n 2"]
    pixels_b: Float[np.ndarray, "n 2"]

    def refined(self, T: np.ndarray, used: Bool[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
        """Gauss-Newton over pixels in both images and log depth, with Huber's weights; and the information about T."""
        hessian = np.eye(7)
        for turn in range(_ROUNDS):
            residuals, jacobians, valid = self._linearised(T)
            kept = used & valid if turn == 0 else self._near(residuals, valid, 2.0)
            size = np.linalg.norm(residuals, axis=1)
            scale = max(0.5, float(np.median(size[kept]))) if kept.any() else 1.0
            weights = kept * np.minimum(1.0, 1.5 * scale / np.maximum(size, 1e-9)) / scale**2
            weighted = weights[:, None, None] * jacobians
            hessian = np.tensordot(weighted, jacobians, axes=((0, 1), (0, 1)))
            gradient = np.tensordot(weighted, residuals, axes=((0, 1), (0, 1)))
            step = np.linalg.solve(hessian + 1e-9 * np.diag(np.diag(hessian) + 1e-12), -gradient)
            T = T @ exponential(step)
            if np.abs(step).max() < 1e-4:
                break
        return T, hessian

    def agreeing(self, T: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Points that fall near their corners in both images, at about their depth."""
        residuals, _, valid = self._linearised(T)
        return self._near(residuals, valid, 1.0)

    def _near(self, residuals: np.ndarray, valid: np.ndarray, times: float) -> Bool[np.ndarray, " n"]:
        limit = times * max(2.0, _PIXELS * self.a.width)
        there, back = (np.linalg.norm(residuals[:, k : k + 2], axis=1) for k in (0, 2))
        return np.asarray(valid & (there < limit) & (back < limit) & (np.abs(residuals[:, 4]) < times * 3))

    def _linearised(self, T: np.ndarray) -> tuple[np.ndarray, np.ndarray, Bool[np.ndarray, " n"]]:
        """Residuals [n, 5]: pixels in the first image, in the second, log depth in sigmas; their derivatives at T exp(x)."""
        moved = transformed(T, self.points_b)
        back = transformed(inverse(T), self.points_a)
        valid = (moved[:, 2] > 1e-3 * self.points_a[:, 2]) & (back[:, 2] > 1e-3 * self.points_b[:, 2])
        moved[~valid], back[~valid] = self.points_a[~valid], self.points_b[~valid]
        turn = _motion(self.points_b)
        to_a = np.einsum("ij,njk->nik", T[:3, :3], turn)
        to_b = -_motion(back)
        there, d_there = _projected(self.a, moved)
        here, d_here = _projected(self.b, back)
        depth = np.log(moved[:, 2] / self.points_a[:, 2]) / _DEPTH_SIGMA
        residuals = np.concatenate([there - self.pixels_a, here - self.pixels_b, depth[:, None]], axis=1)
        d_depth = to_a[:, 2:3] / moved[:, 2, None, None] / _DEPTH_SIGMA
        return residuals, np.concatenate([d_there @ to_a, d_here @ to_b, d_depth], axis=1), valid


def _motion(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 7"]:
    """How exponential(x) moves points at x = 0."""
    eye = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    return np.concatenate([eye, -cross_matrix(points), points[:, :, None]], axis=2)


def _projected(camera: Camera, points: np.ndarray) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 3"]]:
    x, y, z = points.T
    pixels = np.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], axis=1)
    zero = np.zeros_like(z)
    rows = [camera.fx / z, zero, -camera.fx * x / z**2, zero, camera.fy / z, -camera.fy * y / z**2]
    return pixels, np.stack(rows, axis=1).reshape(-1, 2, 3)


def _spread(pairs: _Pairs, agreeing: Bool[np.ndarray, " n"]) -> bool:
    """Whether the agreeing corners cover an area in both images: a small repeated thing can look alike anywhere."""
    for camera, pixels in ((pairs.a, pairs.pixels_a), (pairs.b, pairs.pixels_b)):
        narrow = np.sqrt(max(0.0, float(np.linalg.eigvalsh(np.cov(pixels[agreeing].T))[0])))
        if narrow < _SPREAD * camera.width:
            return False
    return True
