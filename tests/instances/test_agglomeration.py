"""Average linkage on graphs small enough to follow by hand, and against scipy on complete ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from s3d_splat.instances.agglomeration import average_linkage


def groups(count: int, edges: list[tuple[int, int, float, float]], threshold: float) -> list[int]:
    pairs = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2)
    rates, weights = (np.array([edge[k] for edge in edges]) for k in (2, 3))
    return average_linkage(count, pairs, rates, weights, threshold).tolist()


def test_nodes_join_at_the_threshold() -> None:
    assert groups(3, [(0, 1, 0.6, 1.0), (1, 2, 0.59, 1.0)], 0.6) == [0, 0, 2]


def test_a_chain_joins_whole() -> None:
    assert groups(4, [(2, 3, 0.9, 1.0), (1, 2, 0.8, 1.0), (0, 1, 0.7, 1.0)], 0.6) == [0, 0, 0, 0]


def test_the_mean_over_all_pairs_between_two_groups_counts() -> None:
    """{0, 1} and {2, 3} join first; between them lie 0.9 with weight 1 and 0.3 with weight 1 or 3."""
    inside = [(0, 1, 1.0, 1.0), (2, 3, 1.0, 1.0), (1, 2, 0.9, 1.0)]
    assert groups(4, [*inside, (0, 3, 0.3, 1.0)], 0.6) == [0, 0, 0, 0]
    assert groups(4, [*inside, (0, 3, 0.3, 3.0)], 0.6) == [0, 0, 2, 2]


def test_a_pair_given_twice_is_the_mean_of_both() -> None:
    assert groups(2, [(0, 1, 1.0, 1.0), (1, 0, 0.0, 1.0)], 0.5) == [0, 0]
    assert groups(2, [(0, 1, 1.0, 1.0), (1, 0, 0.0, 1.0)], 0.51) == [0, 1]


def test_no_pair() -> None:
    assert groups(3, [], 0.5) == [0, 1, 2]


@given(st.integers(2, 12), st.integers(0, 10_000), st.floats(0.1, 0.9))
def test_a_complete_graph_gives_what_scipy_gives(count: int, seed: int, threshold: float) -> None:
    rates = np.random.default_rng(seed).random(count * (count - 1) // 2)
    pairs = np.stack(np.triu_indices(count, 1), axis=1)
    expected = fcluster(linkage(1 - rates, "average"), 1 - threshold, "distance")
    group = average_linkage(count, pairs, rates, np.ones(len(pairs)), threshold)
    assert (group[:, None] == group).tolist() == (expected[:, None] == expected).tolist()
