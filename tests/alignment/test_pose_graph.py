"""Graphs of clusters and of images: drift closes, what contradicts the rest is rejected, derivatives are right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s3d_splat.alignment.frame_graph import FrameState, Sightings, Steps, Units, _problem, refine, sighting_errors
from s3d_splat.alignment.least_squares import Problem, Terms, fixed, geman_mcclure, minimise, squared
from s3d_splat.alignment.pose_graph import Meeting, inverse_right_jacobian, settle
from s3d_splat.alignment.values import Edge
from s3d_splat.geometry.similarity import exponential, inverse, logarithm, rotation_of, scale_of

RNG = np.random.default_rng


def meeting(first: int, second: int, T: np.ndarray, kind: str = "overlap") -> Meeting:
    return Meeting(Edge(kind, first, second, torch.from_numpy(T), ("a", "b"), 100, 0.0, True), np.eye(4))


def ring_of(count: int) -> np.ndarray:
    """Gauges of clusters on a circle, T_world_cluster, the first the identity."""
    tangents = np.zeros((count, 7))
    tangents[:, 0] = 3 * np.sin(2 * np.pi * np.arange(count) / count)
    tangents[:, 1] = 3 - 3 * np.cos(2 * np.pi * np.arange(count) / count)
    return exponential(tangents)


def test_exact_edges_are_taken_as_they_are() -> None:
    gauges = np.stack([np.eye(4), *exponential(RNG(0).normal(size=(3, 7)))])
    pairs = [(0, 1), (2, 1), (2, 3), (0, 3)]
    found, edges = settle(4, [meeting(a, b, inverse(gauges[a]) @ gauges[b]) for a, b in pairs])
    np.testing.assert_allclose(np.stack(found), gauges, atol=1e-8)
    assert all(edge.accepted for edge in edges)


def test_a_loop_takes_the_drift_of_scale_away() -> None:
    """Every step is 2 % too long; eight of them make 17 %, which the loop spreads."""
    gauges = ring_of(9)
    drift = exponential(np.array([0, 0, 0, 0, 0, 0.005, 0.02]))
    chain = [meeting(k, k + 1, inverse(gauges[k]) @ gauges[k + 1] @ drift) for k in range(8)]
    open_end, _ = settle(9, chain)
    closed, edges = settle(9, [*chain, meeting(0, 8, inverse(gauges[0]) @ gauges[8], "loop")])
    assert float(scale_of(open_end[8])) == pytest.approx(np.exp(0.16))
    assert float(scale_of(closed[8])) == pytest.approx(np.exp(0.02), rel=0.01)
    assert all(edge.accepted for edge in edges)


@pytest.mark.parametrize(
    ("shift", "reason"), [(0.8, "it contradicts the other edges (79%"), (1.5, "more than drift can be (150%")]
)
def test_an_edge_against_all_others_is_rejected(shift: float, reason: str) -> None:
    gauges = ring_of(6)
    edges = [meeting(k, k + 1, inverse(gauges[k]) @ gauges[k + 1]) for k in range(5)]
    edges += [meeting(0, 5, inverse(gauges[0]) @ gauges[5], "loop"), meeting(0, 4, inverse(gauges[0]) @ gauges[4], "loop")]
    wrong = meeting(1, 4, exponential(np.array([0.0, shift, 0, 0, 0, 0, 0])) @ inverse(gauges[1]) @ gauges[4], "loop")
    found, judged = settle(6, [*edges, wrong])
    assert [edge.accepted for edge in judged] == [True] * 7 + [False]
    assert judged[-1].reason.startswith(reason)
    np.testing.assert_allclose(np.stack(found), gauges, atol=0.02)


def test_many_loops_that_agree_on_something_impossible_do_not_tear_the_chain() -> None:
    """Two ends of a corridor that look alike."""
    gauges = exponential(np.arange(5)[:, None] * np.array([2.0, 0, 0, 0, 0, 0, 0]))
    edges = [meeting(k, k + 1, inverse(gauges[k]) @ gauges[k + 1]) for k in range(4)]
    found, judged = settle(5, [*edges, *[meeting(0, 4, np.eye(4), "loop")] * 10])
    assert [edge.accepted for edge in judged] == [True] * 4 + [False] * 10
    np.testing.assert_allclose(np.stack(found), gauges, atol=1e-9)


@pytest.mark.parametrize("degrees", [20, 30, 40, 90])
def test_an_overlap_that_pulls_all_others_away_does_not_tear_them_apart(degrees: float) -> None:
    """Three clusters share images with each other; at 30 degrees each of the three edges is 5 sigmas from the mean."""
    turn = exponential(np.array([0, 0, 0, 0, 0, np.deg2rad(degrees), 0]))
    _, judged = settle(3, [meeting(0, 1, np.eye(4)), meeting(1, 2, np.eye(4)), meeting(0, 2, turn)])
    assert sum(edge.accepted for edge in judged) >= 2
    assert all(edge.accepted or edge.reason.startswith("it contradicts") for edge in judged)


def test_groups_that_nothing_connects_start_at_the_identity() -> None:
    T = exponential(np.array([1.0, 0, 0, 0, 0, 0, 0]))
    found, _ = settle(4, [meeting(0, 1, T), meeting(2, 3, T)])
    np.testing.assert_allclose(found[2], np.eye(4), atol=1e-9)
    np.testing.assert_allclose(inverse(found[2]) @ found[3], T, atol=1e-9)


def test_the_right_jacobian() -> None:
    error, small = 0.2 * RNG(0).normal(size=(1, 7)), 1e-6 * RNG(1).normal(size=(1, 7))
    change = logarithm(exponential(error) @ exponential(small)) - error
    np.testing.assert_allclose(inverse_right_jacobian(error)[0] @ small[0], change[0], atol=2e-9)


def test_least_squares_on_a_line() -> None:
    """Two measurements of one number, 1 and 5, and one that is far away."""

    def problem(width: float) -> Problem[np.ndarray]:
        def terms(x: np.ndarray) -> tuple[Terms, ...]:
            residuals = x[0] - np.array([[1.0], [5.0], [1000.0]])
            weights, costs = geman_mcclure(residuals, width) if width else squared(residuals)
            return (Terms(residuals, np.zeros((3, 1), np.int64), np.ones((3, 1, 1)), weights, costs),)

        return Problem(1, terms, lambda x, step: x + step)

    assert minimise(problem(0.0), np.zeros(1), tolerance=1e-12)[0] == pytest.approx(1006 / 3)
    assert minimise(problem(10.0), np.array([4.0]), tolerance=1e-12)[0] == pytest.approx(3.0, abs=0.01)


def path(count: int) -> np.ndarray:
    tangents = np.cumsum(RNG(4).normal(size=(count, 7)) * np.array([0.1] * 3 + [0.05] * 3 + [0]), axis=0)
    return exponential(tangents)


def steps_of(poses: np.ndarray, unit: float, turn: float = 0.0) -> Steps:
    """One cluster's steps along poses, each turned wrongly by `turn` radians."""
    relative = inverse(poses[:-1]) @ poses[1:]
    wrong = exponential(np.array([0, 0, 0, 0, turn, 0, 0.0]))[:3, :3]
    count, places = len(relative), np.arange(len(relative))
    sigma = np.full(count, max(2 * turn, 1e-3))
    turns = relative[:, :3, :3] @ wrong
    return Steps(
        np.zeros(count, np.int64), places, places + 1, turns, relative[:, :3, 3] / unit, sigma, np.full(count, 1e-3)
    )


def sightings_of(poses: np.ndarray, pairs: list[tuple[int, int]]) -> Sightings:
    first, second = np.array(pairs).T
    whitening = np.broadcast_to(np.diag([100.0] * 3 + [500.0] * 3 + [50.0]), (len(pairs), 7, 7)).copy()
    return Sightings(first, second, inverse(poses[first]) @ poses[second], whitening)


def units_of(count: int) -> Units:
    none = np.zeros(0, np.int64)
    return Units(np.arange(count), np.zeros(count, np.int64), none, none, np.zeros(0))


def test_images_that_agree_stay() -> None:
    poses = path(12)
    state = refine(
        FrameState(poses, np.zeros(1)), steps_of(poses, 1.0), sightings_of(poses, [(0, 5), (2, 11)]), units_of(12)
    )
    np.testing.assert_allclose(state.images, poses, atol=1e-6)
    np.testing.assert_allclose(state.units, 0, atol=1e-6)


def test_sightings_unbend_a_cluster_and_a_wrong_one_does_no_harm() -> None:
    poses = path(30)
    steps = steps_of(poses, 1.0, turn=0.01)
    start = [poses[0]]
    for turn, shift in zip(steps.rotation, steps.shift, strict=True):
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = turn, shift
        start.append(start[-1] @ step)
    sightings = sightings_of(poses, [(a, b) for a in range(0, 30, 5) for b in range(a + 5, 30, 5)])
    wrong = sightings.T_first_second.copy()
    wrong[3] = exponential(np.array([2.0, 0, 0, 1, 0, 0, 0])) @ wrong[3]
    given = Sightings(sightings.first, sightings.second, wrong, sightings.whitening)
    state = refine(FrameState(np.stack(start), np.zeros(1)), steps, given, units_of(30))
    before = np.linalg.norm(np.stack(start)[:, :3, 3] - poses[:, :3, 3], axis=1).max()
    after = np.linalg.norm(state.images[:, :3, 3] - poses[:, :3, 3], axis=1).max()
    assert after < 0.2 * before
    errors = sighting_errors(state, given)
    assert errors[3] > 100
    assert np.delete(errors, 3).max() < 5


def test_derivatives_of_the_graph_of_images() -> None:
    rng = RNG(5)
    poses = path(4)
    poses[:, :3, :3] *= np.exp(0.1 * rng.normal(size=(4, 1, 1)))
    steps = Steps(
        np.array([0, 1, 1]),
        np.array([0, 1, 2]),
        np.array([1, 2, 3]),
        rotation_of(inverse(poses[:3]) @ poses[1:]) @ rotation_of(exponential(0.05 * rng.normal(size=(3, 7)))),
        rng.normal(size=(3, 3)),
        np.full(3, 0.1),
        np.full(3, 0.2),
    )
    sightings = sightings_of(poses @ exponential(0.02 * rng.normal(size=(4, 7))), [(0, 2), (1, 3)])
    units = Units(np.arange(4), np.array([0, 0, 1, 1]), np.array([0]), np.array([1]), np.array([0.2]))
    state = FrameState(poses, np.array([0.1, -0.2]))
    problem = _problem(state, steps, sightings, units, 8.0)
    terms = problem.terms(state)
    for place, term in enumerate(terms):
        if term.jacobians.max() == 1e3:
            continue  # what holds the first image does not measure it
        dense = np.zeros((*term.residuals.shape, problem.size))
        for row, columns in enumerate(term.columns):
            dense[row][:, columns] = term.jacobians[row]
        for unknown in range(problem.size):
            step = np.zeros(problem.size)
            step[unknown] = 1e-6
            ahead, behind = (problem.terms(problem.moved(state, sign * step))[place].residuals for sign in (1, -1))
            scale = max(1.0, float(np.abs(dense[..., unknown]).max()))
            np.testing.assert_allclose(dense[..., unknown], (ahead - behind) / 2e-6, atol=1e-3 * scale)


def test_fixed_unknowns_stay() -> None:
    term = fixed(3)
    assert term.columns.tolist() == [[0, 1, 2]]
    assert not term.residuals.any()
