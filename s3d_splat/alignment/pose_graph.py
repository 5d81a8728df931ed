"""The graph of clusters: one Sim(3) for every cluster that agrees with the edges which agree with each other.

Source: H. Strasdat, J. Montiel and A. Davison, "Scale drift-aware large scale monocular SLAM", RSS 2010.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from s3d_splat.alignment.least_squares import Problem, Terms, fixed, geman_mcclure, minimise
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import adjoint, exponential, inverse, logarithm, small_adjoint

# What rigid clusters may be apart where they meet, being bent in themselves: shift as a share of the depth, rotation, scale.
_SIGMAS = np.array([0.05] * 3 + [np.deg2rad(2.0)] * 3 + [0.03])
_WIDTHS = (25.0, 12.0, 6.0, 3.0)  # of the loops' robust loss, in those sigmas: wide first, so that drift can close
_OVERLAP_WIDTH = 12.0  # of that of overlaps: images that are the same can hardly be mistaken
_REJECTED = 4.0  # sigmas
_DRIFT = 6.0  # sigmas that a chain of overlaps may go astray with every cluster


@dataclass(frozen=True)
class Meeting:
    """An edge with the place where it was measured, about which its errors turn."""

    edge: Edge
    T_second_anchor: Float[np.ndarray, "4 4"]  # Sim(3): a camera, with the median depth as the unit of length

    @property
    def measured(self) -> Float[np.ndarray, "4 4"]:
        return np.asarray(self.edge.T_first_second.numpy() @ self.T_second_anchor)


def disagreement(
    first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"], anchor: Float[np.ndarray, "4 4"]
) -> float:
    """How far two similarities between the same gauges are apart at a place, in units of what rigid clusters may be."""
    return float(np.linalg.norm(logarithm(inverse(first @ anchor) @ second @ anchor) / _SIGMAS))


def settle(count: int, meetings: Sequence[Meeting]) -> tuple[tuple[Float[np.ndarray, "4 4"], ...], tuple[Edge, ...]]:
    """The Sim(3) of every cluster, T_first_k for the first of them, and the edges, those that disagree with it rejected.

    Edges that were rejected before have no say. An edge without which the clusters fall apart is kept.
    """
    meetings = _within_drift(count, meetings)
    kept = [meeting for meeting in meetings if meeting.edge.accepted]
    state = np.stack(_chained(count, kept))
    if kept and count > 1:
        for width in _WIDTHS:
            state = minimise(_problem(count, kept, width), state)
    edges = [meeting.edge for meeting in meetings]
    for place in _contradicting(count, state, meetings):
        reason = f"it contradicts the other edges ({_off(state, meetings[place])})"
        edges[place] = dataclasses.replace(edges[place], accepted=False, reason=reason)
    return tuple(state), tuple(edges)


def _contradicting(count: int, state: Float[np.ndarray, "k 4 4"], meetings: Sequence[Meeting]) -> list[int]:
    """Places of accepted edges that are too far off, but for those that alone hold clusters together, the nearest first."""
    accepted = [place for place, meeting in enumerate(meetings) if meeting.edge.accepted]
    off = {place: float(np.linalg.norm(_errors(state, [meetings[place]])[0] / _SIGMAS)) for place in accepted}
    group = np.arange(count)
    rejected = []
    for place in sorted(accepted, key=lambda place: off[place]):
        first, second = group[meetings[place].edge.first], group[meetings[place].edge.second]
        if off[place] > _REJECTED and first == second:
            rejected.append(place)
        group[group == second] = first
    return rejected


def _within_drift(count: int, meetings: Sequence[Meeting]) -> list[Meeting]:
    """The meetings, without loops that no drift along the shared images between their clusters could open.

    Where things look alike many loops can be wrong in the same way, and outvote the few images that clusters share.
    """
    overlaps = [m for m in meetings if m.edge.accepted and m.edge.kind == "overlap"]
    chain = np.stack(_chained(count, overlaps))
    ends = np.array([(m.edge.first, m.edge.second) for m in overlaps], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    hops = shortest_path(graph.tocsr(), directed=False, unweighted=True)
    kept = []
    for meeting in meetings:
        edge = meeting.edge
        if edge.accepted and edge.kind == "loop":
            off = float(np.linalg.norm(_errors(chain, [meeting])[0] / _SIGMAS))
            if off > _DRIFT * hops[edge.first, edge.second]:
                reason = f"more than drift can be ({_off(chain, meeting)})"
                meeting = dataclasses.replace(meeting, edge=dataclasses.replace(edge, accepted=False, reason=reason))
        kept.append(meeting)
    return kept


def _off(state: np.ndarray, meeting: Meeting) -> str:
    error = _errors(state, [meeting])[0]
    shift, angle = np.linalg.norm(error[:3]), np.rad2deg(np.linalg.norm(error[3:6]))
    return f"{shift:.0%} of the depth, {angle:.1f} degrees, {abs(np.expm1(error[6])):.0%} of the scale off"


def _chained(count: int, meetings: Sequence[Meeting]) -> list[Float[np.ndarray, "4 4"]]:
    """Along the edges with most support, overlaps before loops (a spanning tree, grown from the first cluster)."""
    poses: dict[int, np.ndarray] = {}
    ranked = sorted(meetings, key=lambda m: (m.edge.kind != "overlap", -m.edge.matches))
    while len(poses) < count:
        start = min(k for k in range(count) if k not in poses)
        poses[start] = np.eye(4)
        grown = True
        while grown:
            grown = False
            for meeting in ranked:
                a, b, T = meeting.edge.first, meeting.edge.second, meeting.edge.T_first_second.numpy()
                if (a in poses) != (b in poses):
                    if a in poses:
                        poses[b] = poses[a] @ T
                    else:
                        poses[a] = poses[b] @ inverse(T)
                    grown = True
                    break
    return [poses[k] for k in range(count)]


def _errors(state: Float[np.ndarray, "k 4 4"], meetings: Sequence[Meeting]) -> Float[np.ndarray, "m 7"]:
    """log of (measured^-1 first^-1 second anchor): seen from the place where the edge was measured."""
    first, second, anchor, measured = _stacked(meetings)
    return logarithm(inverse(measured) @ inverse(state[first]) @ state[second] @ anchor)


def _stacked(meetings: Sequence[Meeting]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    first = np.array([meeting.edge.first for meeting in meetings])
    second = np.array([meeting.edge.second for meeting in meetings])
    return first, second, np.stack([m.T_second_anchor for m in meetings]), np.stack([m.measured for m in meetings])


def _problem(count: int, meetings: Sequence[Meeting], width: float) -> Problem[np.ndarray]:
    first, second, anchor, _ = _stacked(meetings)
    widths = np.array([_OVERLAP_WIDTH if meeting.edge.kind == "overlap" else width for meeting in meetings])
    columns = np.concatenate([7 * first[:, None] + np.arange(7), 7 * second[:, None] + np.arange(7)], axis=1)

    def terms(state: np.ndarray) -> tuple[Terms, ...]:
        errors = _errors(state, meetings)
        bent = inverse_right_jacobian(errors)
        to_second = bent @ adjoint(inverse(anchor))
        to_first = -bent @ adjoint(inverse(anchor) @ inverse(state[second]) @ state[first])
        whitened = errors / _SIGMAS
        weights, costs = geman_mcclure(whitened, widths)
        jacobians = np.concatenate([to_first, to_second], axis=2) / _SIGMAS[:, None]
        return Terms(whitened, columns, jacobians, weights, costs), fixed(7)

    return Problem(7 * count, terms, lambda state, step: state @ exponential(step.reshape(-1, 7)))


def inverse_right_jacobian(errors: Float[np.ndarray, "m 7"]) -> Float[np.ndarray, "m 7 7"]:
    """How log(exp(e) exp(x)) changes with a small x, to second order in e."""
    bracket = small_adjoint(errors)
    return np.asarray(np.eye(7) + bracket / 2 + bracket @ bracket / 12)
