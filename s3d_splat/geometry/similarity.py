"""Similarities of space, Sim(3), as matrices [s R, t; 0, 1] in float64: what cluster gauges differ by.

A tangent vector is (rho, omega, sigma): shift, rotation vector in radians, logarithm of the scale. Sources: H. Strasdat,
"Local accuracy and global consistency for efficient visual SLAM", PhD thesis 2012, appendix A; E. Eade, "Lie groups
for 2D and 3D transformations", 2017. Every function takes any number of leading batch dimensions.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


def similarity(
    scale: Float[np.ndarray, "*b"] | float, rotation: Float[np.ndarray, "*b 3 3"], shift: Float[np.ndarray, "*b 3"]
) -> Float[np.ndarray, "*b 4 4"]:
    """The matrix of x -> scale * rotation @ x + shift."""
    matrix = np.zeros((*shift.shape[:-1], 4, 4))
    matrix[..., :3, :3] = np.asarray(scale)[..., None, None] * rotation
    matrix[..., :3, 3] = shift
    matrix[..., 3, 3] = 1.0
    return matrix


def scale_of(T: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b"]:
    """How much longer lengths become."""
    return np.asarray(np.cbrt(np.linalg.det(T[..., :3, :3])))


def rotation_of(T: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b 3 3"]:
    """The rotation, without the scale."""
    return T[..., :3, :3] / scale_of(T)[..., None, None]


def inverse(T: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b 4 4"]:
    """The similarity that undoes T."""
    scale = scale_of(T)
    back = np.swapaxes(T[..., :3, :3], -1, -2) / (scale * scale)[..., None, None]
    return similarity(1.0, back, -(back @ T[..., :3, 3:])[..., 0])


def transformed(T: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Points moved by T."""
    return points @ T[:3, :3].T + T[:3, 3]


def moved_pose(T: Float[np.ndarray, "*b 4 4"], pose: Float[np.ndarray, "*c 4 4"]) -> Float[np.ndarray, "*d 4 4"]:
    """The pose of a camera after its world was moved by T; the camera's axes keep length 1."""
    moved = T @ pose
    moved[..., :3, :3] = rotation_of(T) @ pose[..., :3, :3]
    return moved


def exponential(tangent: Float[np.ndarray, "*b 7"]) -> Float[np.ndarray, "*b 4 4"]:
    """The similarity of a tangent vector."""
    omega, sigma = tangent[..., 3:6], np.asarray(tangent[..., 6])
    rotation = Rotation.from_rotvec(omega.reshape(-1, 3)).as_matrix().reshape(*omega.shape, 3)
    shift = (_shift_matrix(omega, sigma) @ tangent[..., :3, None])[..., 0]
    return similarity(np.exp(sigma), rotation, shift)


def logarithm(T: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b 7"]:
    """The tangent vector of a similarity, with a rotation vector of at most half a turn."""
    sigma = np.asarray(np.log(scale_of(T)))
    omega = rotation_vectors(rotation_of(T))
    rho = np.linalg.solve(_shift_matrix(omega, sigma), T[..., :3, 3:])[..., 0]
    return np.concatenate([rho, omega, sigma[..., None]], axis=-1)


def adjoint(T: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b 7 7"]:
    """The matrix that moves tangent vectors through T: T exponential(v) = exponential(adjoint(T) v) T."""
    rotation, shift = rotation_of(T), T[..., :3, 3]
    matrix = np.zeros((*T.shape[:-2], 7, 7))
    matrix[..., :3, :3] = T[..., :3, :3]
    matrix[..., :3, 3:6] = cross_matrix(shift) @ rotation
    matrix[..., :3, 6] = -shift
    matrix[..., 3:6, 3:6] = rotation
    matrix[..., 6, 6] = 1.0
    return matrix


def small_adjoint(tangent: Float[np.ndarray, "*b 7"]) -> Float[np.ndarray, "*b 7 7"]:
    """The matrix of the Lie bracket with a tangent vector; its exponential is the adjoint."""
    matrix = np.zeros((*tangent.shape[:-1], 7, 7))
    turn = cross_matrix(tangent[..., 3:6])
    matrix[..., :3, :3] = turn + tangent[..., 6, None, None] * np.eye(3)
    matrix[..., :3, 3:6] = cross_matrix(tangent[..., :3])
    matrix[..., :3, 6] = -tangent[..., :3]
    matrix[..., 3:6, 3:6] = turn
    return matrix


def rotation_vectors(rotations: Float[np.ndarray, "*b 3 3"]) -> Float[np.ndarray, "*b 3"]:
    """Axis times angle (radians, at most half a turn)."""
    flat = rotations.reshape(-1, 3, 3)
    vectors = Rotation.from_matrix(flat).as_rotvec() if len(flat) else np.zeros((0, 3))
    return vectors.reshape(rotations.shape[:-1])


def cross_matrix(vectors: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 3 3"]:
    """The matrix of the cross product with a vector from the left."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)


def _shift_matrix(omega: Float[np.ndarray, "*b 3"], sigma: Float[np.ndarray, "*b"]) -> Float[np.ndarray, "*b 3 3"]:
    """The integral of exp(sigma u) R(omega u) over u in 0..1, which takes rho to the shift.

    With z = sigma + i |omega| the integral of exp(z u) is (exp(z) - 1) / z: its real part belongs to the cosine of the
    rotation, its imaginary part to the sine.
    """
    angle = np.linalg.norm(omega, axis=-1)
    axis = cross_matrix(omega / np.where(angle > 0, angle, 1.0)[..., None])
    straight = _exponential_mean(np.asarray(sigma + 0j)).real
    turning = _exponential_mean(np.asarray(sigma + 1j * angle))
    along, around, across = (part[..., None, None] for part in (straight, turning.imag, straight - turning.real))
    return along * np.eye(3) + around * axis + across * (axis @ axis)


def _exponential_mean(z: np.ndarray) -> np.ndarray:
    small = np.abs(z) < 1e-12
    return np.where(small, 1.0 + z / 2, np.expm1(z) / np.where(small, 1.0, z))
