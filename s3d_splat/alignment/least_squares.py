"""Sparse nonlinear least squares on manifolds: Levenberg-Marquardt with a robust loss, for the graphs of poses.

Sources: R. Hartley and A. Zisserman, "Multiple View Geometry", 2004, appendix 6; K. MacTavish and T. Barfoot, "At all costs:
a comparison of robust cost functions for camera correspondence outliers", CRV 2015 (Geman-McClure, iteratively reweighted).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.linalg import splu

State = TypeVar("State")


@dataclass(frozen=True)
class Terms:
    """Whitened residuals of one kind, every row of which reads a few blocks of the unknowns."""

    residuals: Float[np.ndarray, "m d"]
    columns: Int[np.ndarray, "m k"]  # the unknowns that a row reads
    jacobians: Float[np.ndarray, "m d k"]
    weights: Float[np.ndarray, " m"]  # of the robust loss
    costs: Float[np.ndarray, " m"]


@dataclass(frozen=True)
class Problem(Generic[State]):
    """What is minimised: the terms at a state, and how a state takes a step in its tangent space."""

    size: int  # unknowns
    terms: Callable[[State], tuple[Terms, ...]]
    moved: Callable[[State, Float[np.ndarray, " n"]], State]


def fixed(count: int) -> Terms:
    """Holds the first `count` unknowns where they are, where nothing else decides them."""
    columns = np.arange(count)[None]
    return Terms(np.zeros((1, count)), columns, 1e3 * np.eye(count)[None], np.ones(1), np.zeros(1))


def squared(residuals: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Weights and costs of plain least squares."""
    return np.ones(len(residuals)), np.square(residuals).sum(1)


def geman_mcclure(
    residuals: Float[np.ndarray, "m d"], width: Float[np.ndarray, " m"] | float
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Weights and costs of the loss r^2 / (1 + r^2 / width^2): what lies far beyond `width` hardly pulls."""
    squares = np.square(residuals).sum(1)
    share = 1.0 / (1.0 + squares / (width * width))
    return share * share, squares * share


def minimise(
    problem: Problem[State],
    state: State,
    *,
    rounds: int = 30,
    tolerance: float = 1e-6,
) -> State:
    """The state with a locally least sum of costs.

    Args:
        tolerance: it is enough when a step lowers the cost by no more than this share.
    """
    damping = 1e-6
    terms = problem.terms(state)
    cost = _cost(terms)
    for _ in range(rounds):
        hessian, gradient = _normal_equations(terms, problem.size)
        improved = False
        while damping < 1e6:
            scaled = hessian + diags_array(damping * (hessian.diagonal() + 1e-12), format="csc")
            step = splu(csc_array(scaled)).solve(-gradient)
            proposed = problem.moved(state, step)
            proposed_terms = problem.terms(proposed)
            proposed_cost = _cost(proposed_terms)
            if np.isfinite(proposed_cost) and proposed_cost <= cost:
                improved = True
                break
            damping = max(damping * 10, 1e-6)
        if not improved:
            break
        gain, state, terms, cost = cost - proposed_cost, proposed, proposed_terms, proposed_cost
        damping = max(damping * 0.1, 1e-9)
        if gain <= tolerance * max(cost, 1e-12):
            break
    return state


def _cost(terms: tuple[Terms, ...]) -> float:
    return float(sum(term.costs.sum() for term in terms))


def _normal_equations(terms: tuple[Terms, ...], size: int) -> tuple[csc_array, Float[np.ndarray, " n"]]:
    rows, columns, values = [], [], []
    gradient = np.zeros(size)
    for term in terms:
        weighted = term.weights[:, None, None] * term.jacobians
        blocks = np.einsum("mdk,mdl->mkl", weighted, term.jacobians)
        shape = blocks.shape
        rows.append(np.broadcast_to(term.columns[:, :, None], shape).ravel())
        columns.append(np.broadcast_to(term.columns[:, None, :], shape).ravel())
        values.append(blocks.ravel())
        np.add.at(gradient, term.columns, np.einsum("mdk,md->mk", weighted, term.residuals))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csc_array(coo_array(entries, shape=(size, size))), gradient
