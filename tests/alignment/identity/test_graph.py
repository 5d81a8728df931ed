"""Joining by consensus, on graphs small enough to solve by hand."""

from __future__ import annotations

import numpy as np

from s3d_splat.alignment.identity.graph import Comparison, joined


def evidence(*rows: tuple[int, int, float, float]) -> list[Comparison]:
    """Rows: two nodes, what agreed, what was compared."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return [Comparison(columns[:, :2].astype(np.int64), columns[:, 2], columns[:, 3])]


def groups(count: int, *rows: tuple[int, int, float, float], size: float = 10.0) -> list[int]:
    return joined(np.full(count, size), evidence(*rows), 0.5).tolist()


def test_a_chain_that_agrees_is_one_object() -> None:
    assert groups(4, (0, 1, 9, 10), (1, 2, 8, 10), (2, 3, 7, 10)) == [0, 0, 0, 0]


def test_what_agrees_too_little_stays_apart() -> None:
    assert groups(2, (0, 1, 4.9, 10)) == [0, 1]
    assert groups(2, (0, 1, 5.0, 10)) == [0, 0]


def test_two_that_were_seen_side_by_side_share_no_third() -> None:
    """1 joins 0, its better partner; then 2 is compared with both: 6 of 10 with 1, 0 of 10 with 0: 0.3."""
    assert groups(3, (0, 1, 9, 10), (1, 2, 6, 10), (0, 2, 0, 10)) == [0, 0, 1]


def test_many_views_outvote_one() -> None:
    """Each view adds to the same pair: 0.9 * 3 + 0 of 4 views is 0.675."""
    rows = [(0, 1, 9, 10)] * 3 + [(0, 1, 0, 10)]
    assert groups(2, *rows) == [0, 0]
    assert groups(2, *rows, (0, 1, 0, 30)) == [0, 1]


def test_a_single_cell_joins_nothing_large() -> None:
    assert groups(2, (0, 1, 2, 2), size=100.0) == [0, 1]
    assert groups(2, (0, 1, 2, 2), size=9.0) == [0, 1]
    assert groups(2, (0, 1, 2, 2), size=8.0) == [0, 0]  # a quarter


def test_groups_are_numbered_by_their_first_node() -> None:
    assert groups(5, (1, 4, 10, 10), (0, 3, 10, 10)) == [0, 1, 2, 0, 1]


def test_nodes_without_any_evidence() -> None:
    assert joined(np.zeros(3), [], 0.5).tolist() == [0, 1, 2]
    assert joined(np.zeros(0), [], 0.5).tolist() == []


def test_the_order_of_nodes_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    pairs = [(a, b, float(generator.random()), 1.0) for a in range(8) for b in range(a) if generator.random() < 0.4]
    order = generator.permutation(8)
    first = groups(8, *pairs, size=1.0)
    second = groups(8, *[(int(order[a]), int(order[b]), agreed, mass) for a, b, agreed, mass in pairs], size=1.0)
    together = np.equal.outer(first, first)
    again = np.equal.outer(second, second)
    assert (together == again[np.ix_(order, order)]).all()
