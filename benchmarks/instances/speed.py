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
HALL = torch.tensor([12.0, 12.0, 3.0])  # metres
IN_SHELL = 0.4  # of the anchors: walls, floor and ceiling
NOISE, SPREAD = 0.02, 1.5  # of a feature's axis beside a unit feature: median, and the logarithm's standard deviation
UNSEEN = 0.02  # of the anchors


def aggregation_speed(sizes: tuple[tuple[int, int], ...] = SIZES) -> list[dict[str, Any]]:
    """The shortest of three times for each size, on as many threads as the environment gives."""
    rows = []
    for anchors, seeds in sizes:
        positions, features, weights = hall(anchors, torch.Generator().manual_seed(0))
        options = AggregationOptions(seeds=seeds)
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            clusters = aggregate_anchors(positions, features, weights, options, torch.Generator().manual_seed(0), children=5)
            seconds.append(time.perf_counter() - start)
        row = {"anchors": anchors, "seeds": seeds, "threads": torch.get_num_threads()}
        rows.append(row | {"clusters": len(clusters.sizes), "seconds": min(seconds)})
    return rows


def hall(anchors: int, generator: torch.Generator) -> tuple[Float[Tensor, "a 3"], Float[Tensor, "a d"], Float[Tensor, " a"]]:
    """Anchors on the sides of a hall of 12 x 12 x 3 m and of boxes of 0.2 to 2 m; their features, and how much is seen.

    A box has one feature, each side of the hall has its own. The noise has a heavy tail, as after training: neighbours of
    built-in rooms differ by 0.1 in the median and by 0.7 to 1.1 in one pair out of ten.
    """
    size = torch.cat((HALL[None], 0.2 + 1.8 * torch.rand(OBJECTS, 3, generator=generator)))
    centre = torch.cat((HALL[None] / 2, torch.rand(OBJECTS, 3, generator=generator) * HALL))
    in_shell = torch.rand(anchors, generator=generator) < IN_SHELL
    box = torch.where(in_shell, 0, torch.randint(1, OBJECTS + 1, (anchors,), generator=generator))
    place = torch.rand(anchors, 3, generator=generator) - 0.5
    axis = torch.randint(3, (anchors, 1), generator=generator)
    beyond = place.gather(1, axis) > 0
    place = place.scatter(1, axis, beyond.float() - 0.5)
    owner = torch.where(in_shell, (2 * axis + beyond)[:, 0], box + 5)  # 0..5: sides of the hall
    feature = normalize(torch.randn(OBJECTS + 6, FEATURES, generator=generator), dim=1)[owner]
    noise = NOISE * torch.exp(SPREAD * torch.randn(anchors, 1, generator=generator))
    noisy = feature + noise * torch.randn(anchors, FEATURES, generator=generator)
    seen = (torch.rand(anchors, generator=generator) >= UNSEEN).float()
    return centre[box] + place * size[box], normalize(noisy, dim=1), seen


def speed_markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = ["| anchors | seeds | threads | clusters | seconds |", "|---:|---:|---:|---:|---:|"]
    for row in rows:
        counts = f"| {row['anchors']:,} | {row['seeds']:,} | {row['threads']} | {row['clusters']} |"
        lines.append(f"{counts} {row['seconds']:.2f} |")
    return "\n".join(lines) + "\n"
