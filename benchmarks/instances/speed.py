"""How long finding the objects takes by itself: clusters of a million anchors, for growing numbers of anchors and seeds."""

from __future__ import annotations

import time
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.instances.aggregate import aggregate_anchors
from s3d_splat.instances.options import AggregationOptions

SIZES = ((10_000, 1_000), (100_000, 1_000), (1_000_000, 200), (1_000_000, 1_000))  # anchors, seeds
OBJECTS, FEATURES, REPEATS = 60, 6, 3


def aggregation_speed(sizes: tuple[tuple[int, int], ...] = SIZES) -> list[dict[str, Any]]:
    """The shortest of three times for each size, on as many threads as the environment gives."""
    rows = []
    for anchors, seeds in sizes:
        positions, features = blobs(anchors, torch.Generator().manual_seed(0))
        options = AggregationOptions(seeds=seeds)
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            clusters = aggregate_anchors(
                positions, features, torch.ones(anchors), options, torch.Generator().manual_seed(0), children=5
            )
            seconds.append(time.perf_counter() - start)
        row = {"anchors": anchors, "seeds": seeds, "threads": torch.get_num_threads()}
        rows.append(row | {"clusters": len(clusters.sizes), "seconds": min(seconds)})
    return rows


def blobs(anchors: int, generator: torch.Generator) -> tuple[Float[Tensor, "a 3"], Float[Tensor, "a d"]]:
    """Anchors on the sides of boxes of 0.2 to 2 m in a hall of 12 x 12 x 3 m, with a feature of their box and noise."""
    owner = torch.randint(OBJECTS, (anchors,), generator=generator)
    centre = torch.rand(OBJECTS, 3, generator=generator) * torch.tensor([12.0, 12.0, 3.0])
    size = 0.2 + 1.8 * torch.rand(OBJECTS, 3, generator=generator)
    place = torch.rand(anchors, 3, generator=generator) - 0.5
    side = torch.randint(3, (anchors, 1), generator=generator)
    place = place.scatter(1, side, place.gather(1, side).sign() / 2)
    feature = torch.randn(OBJECTS, FEATURES, generator=generator)[owner]
    noise = 0.05 * torch.randn(anchors, FEATURES, generator=generator)
    return centre[owner] + place * size[owner], normalize(normalize(feature, dim=1) + noise, dim=1)


def speed_markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = ["| anchors | seeds | threads | clusters | seconds |", "|---:|---:|---:|---:|---:|"]
    for row in rows:
        counts = f"| {row['anchors']:,} | {row['seeds']:,} | {row['threads']} | {row['clusters']} |"
        lines.append(f"{counts} {row['seconds']:.2f} |")
    return "\n".join(lines) + "\n"
