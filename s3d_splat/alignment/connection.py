"""Whether the clusters hang together, and what to say where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from s3d_splat.alignment.matches import Measured
from s3d_splat.alignment.values import Edge
from s3d_splat.errors import S3DError

Table = Mapping[str, Measured]


def pieces(tables: Sequence[Table], edges: Sequence[Edge]) -> list[list[int]]:
    """Clusters that accepted edges connect, in groups; clusters without images are in none."""
    kept = [(edge.first, edge.second) for edge in edges if edge.accepted]
    return _groups(tables, kept)


def require_shared_images(tables: Sequence[Table]) -> None:
    """Raises S3DError if images that clusters share do not connect all of them."""
    holders: dict[str, int] = {}
    links = [(holders.setdefault(name, number), number) for number, table in enumerate(tables) for name in table]
    parts = _groups(tables, links)
    if len(parts) > 1:
        raise _disconnected(tables, parts, "they share no images, and places that were seen again are not looked for")


def require_connected(tables: Sequence[Table], edges: Sequence[Edge], loops: bool) -> None:
    """Raises S3DError if the accepted edges do not connect all clusters."""
    parts = pieces(tables, edges)
    if len(parts) == 1:
        return
    group = {number: place for place, part in enumerate(parts) for number in part}
    across = [edge for edge in edges if group[edge.first] != group[edge.second]]
    reasons = "".join(f"; {edge.kind} of {edge.first} and {edge.second}: {edge.reason}" for edge in across[:3])
    looked = "no place was found that both have seen" if loops else "places that were seen again were not looked for"
    raise _disconnected(tables, parts, f"no images that they share agree, and {looked}{reasons}")


def _groups(tables: Sequence[Table], links: Sequence[tuple[int, int]]) -> list[list[int]]:
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(tables), len(tables)))
    count, label = connected_components(graph, directed=False)
    groups = [[int(k) for k in np.flatnonzero(label == group) if tables[k]] for group in range(count)]
    return [group for group in groups if group]


def _disconnected(tables: Sequence[Table], parts: Sequence[Sequence[int]], why: str) -> S3DError:
    named = " and ".join(f"{_numbers(part)} (from {next(iter(tables[part[0]]))})" for part in parts)
    return S3DError(
        f"the clusters {named} cannot be joined",
        why=why,
        fix="let neighbouring clusters share at least 5 images that show the same things"
        " (--alignment.clusters.overlap, where one capture is cut), or prepare the parts one by one",
    )


def _numbers(part: Sequence[int]) -> str:
    """Cluster numbers, runs of them shortened."""
    runs: list[list[int]] = []
    for number in sorted(part):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
