"""The graph of images: clusters bend where their own poses drifted, until they agree with what the images show.

Every image is one node, however many clusters hold it: its pose, and the unit of its depth. Every cluster is one
unknown more: its unit of length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.alignment.least_squares import Problem, Terms, fixed, geman_mcclure, minimise, squared
from s3d_splat.alignment.pose_graph import inverse_right_jacobian
from s3d_splat.geometry.similarity import (
    adjoint,
    cross_matrix,
    exponential,
    inverse,
    logarithm,
    rotation_of,
    rotation_vectors,
    scale_of,
)

_DEPTH_UNIT = 0.03  # by how much the unit of an image's depth may differ from its cluster's (logarithm)
_SCALE = 0.01  # error of the ratio of two clusters' units, as overlaps give it
_WIDTHS = (20.0, 8.0)  # of the robust loss, in sigmas: wide first, so that gaps can close


@dataclass(frozen=True)
class Steps:
    """Motions that clusters give: from one of their images to the next one that they hold."""

    cluster: Int[np.ndarray, " m"]
    first: Int[np.ndarray, " m"]  # images
    second: Int[np.ndarray, " m"]
    rotation: Float[np.ndarray, "m 3 3"]  # R_first_second
    shift: Float[np.ndarray, "m 3"]  # of the second in the first's axes, in the cluster's unit
    angle_sigma: Float[np.ndarray, " m"]  # radians
    shift_sigma: Float[np.ndarray, " m"]  # cluster's units


@dataclass(frozen=True)
class Sightings:
    """What images show of each other: Sim(3) from the second's depth unit to the first's."""

    first: Int[np.ndarray, " m"]
    second: Int[np.ndarray, " m"]
    T_first_second: Float[np.ndarray, "m 4 4"]
    whitening: Float[np.ndarray, "m 7 7"]  # takes an error to independent parts of variance 1

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Units:
    """What is known of units: of which cluster an image's depth is, and how those of two clusters compare."""

    image: Int[np.ndarray, " i"]
    image_cluster: Int[np.ndarray, " i"]
    first: Int[np.ndarray, " c"]  # clusters
    second: Int[np.ndarray, " c"]
    log_ratio: Float[np.ndarray, " c"]  # of the first's unit to the second's


@dataclass(frozen=True)
class FrameState:
    """T_world_image, with the unit of the image's depth as its scale, and the logarithms of the clusters' units."""

    images: Float[np.ndarray, "n 4 4"]
    units: Float[np.ndarray, " k"]


def refine(state: FrameState, steps: Steps, sightings: Sightings, units: Units) -> FrameState:
    """The state that all agree with best; sightings that contradict the rest lose their say. The first image stays."""
    for width in _WIDTHS:
        state = minimise(_problem(state, steps, sightings, units, width), state, tolerance=1e-4)
    return state


def sighting_errors(state: FrameState, sightings: Sightings) -> Float[np.ndarray, " m"]:
    """How far each sighting is from the state, in sigmas."""
    return np.asarray(np.linalg.norm(_sighting_residuals(state, sightings)[0], axis=1))


def _problem(state: FrameState, steps: Steps, sightings: Sightings, units: Units, width: float) -> Problem[FrameState]:
    count = len(state.images)

    def terms(at: FrameState) -> tuple[Terms, ...]:
        found = [*_step_terms(at, steps, count, width), *_unit_terms(at, units, count), fixed(7)]
        if len(sightings):
            found.append(_sighting_terms(at, sightings, width))
        return tuple(found)

    def moved(at: FrameState, step: Float[np.ndarray, " u"]) -> FrameState:
        images = at.images @ exponential(step[: 7 * count].reshape(-1, 7))
        return FrameState(images, at.units + step[7 * count :])

    return Problem(7 * count + len(state.units), terms, moved)


def _sighting_residuals(state: FrameState, sightings: Sightings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = state.images[sightings.first], state.images[sightings.second]
    relative = inverse(first) @ second
    errors = logarithm(inverse(sightings.T_first_second) @ relative)
    return (sightings.whitening @ errors[..., None])[..., 0], errors, relative


def _sighting_terms(state: FrameState, sightings: Sightings, width: float) -> Terms:
    whitened, errors, relative = _sighting_residuals(state, sightings)
    to_second = sightings.whitening @ inverse_right_jacobian(errors)
    to_first = -to_second @ adjoint(inverse(relative))
    columns = np.concatenate([_block(sightings.first), _block(sightings.second)], axis=1)
    weights, costs = geman_mcclure(whitened, width)
    return Terms(whitened, columns, np.concatenate([to_first, to_second], axis=2), weights, costs)


def _step_terms(state: FrameState, steps: Steps, count: int, width: float) -> tuple[Terms, Terms]:
    first, second = state.images[steps.first], state.images[steps.second]
    turn, turn_second = rotation_of(first), rotation_of(second)
    off = rotation_vectors(steps.rotation.transpose(0, 2, 1) @ turn.transpose(0, 2, 1) @ turn_second)
    bent = np.eye(3) + cross_matrix(off) / 2
    none = np.zeros((len(off), 3, 3))
    to_first = np.concatenate([none, -bent @ turn_second.transpose(0, 2, 1) @ turn, none[:, :, :1]], axis=2)
    to_second = np.concatenate([none, bent, none[:, :, :1]], axis=2)
    columns = np.concatenate([_block(steps.first), _block(steps.second)], axis=1)
    rotations = _terms(off, columns, np.concatenate([to_first, to_second], axis=2), steps.angle_sigma, width)

    shrunk = np.exp(-state.units[steps.cluster])[:, None]
    shift = shrunk * (turn.transpose(0, 2, 1) @ (second[:, :3, 3] - first[:, :3, 3])[..., None])[..., 0]
    scale, scale_second = (shrunk * scale_of(T)[:, None] for T in (first, second))
    to_first = np.concatenate([-scale[..., None] * np.eye(3), cross_matrix(shift), none[:, :, :1]], axis=2)
    moved = scale_second[..., None] * (turn.transpose(0, 2, 1) @ turn_second)
    to_second = np.concatenate([moved, none, none[:, :, :1]], axis=2)
    jacobians = np.concatenate([to_first, to_second, -shift[:, :, None]], axis=2)
    columns = np.concatenate([columns, 7 * count + steps.cluster[:, None]], axis=1)
    return rotations, _terms(shift - steps.shift, columns, jacobians, steps.shift_sigma, width)


def _unit_terms(state: FrameState, units: Units, count: int) -> tuple[Terms, Terms]:
    own = np.log(scale_of(state.images[units.image])) - state.units[units.image_cluster]
    columns = np.stack([7 * units.image + 6, 7 * count + units.image_cluster], axis=1)
    signs = np.array([[1.0, -1.0]])
    images = _plain(own, columns, signs / _DEPTH_UNIT, _DEPTH_UNIT)
    between = state.units[units.first] - state.units[units.second] - units.log_ratio
    columns = np.stack([7 * count + units.first, 7 * count + units.second], axis=1)
    return images, _plain(between, columns, signs / _SCALE, _SCALE)


def _plain(errors: np.ndarray, columns: np.ndarray, row: np.ndarray, sigma: float) -> Terms:
    residuals = errors[:, None] / sigma
    weights, costs = squared(residuals)
    return Terms(residuals, columns, np.broadcast_to(row, (len(errors), 1, 2)).copy(), weights, costs)


def _terms(errors: np.ndarray, columns: np.ndarray, jacobians: np.ndarray, sigma: np.ndarray, width: float) -> Terms:
    whitened = errors / sigma[:, None]
    weights, costs = geman_mcclure(whitened, width)
    return Terms(whitened, columns, jacobians / sigma[:, None, None], weights, costs)


def _block(places: Int[np.ndarray, " m"]) -> Int[np.ndarray, "m 7"]:
    return np.asarray(7 * places[:, None] + np.arange(7))
