"""Over-segments: k-means in a space that joins what a Gaussian looks like to the masks and where it is."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.geometry.voxels import touching_labels, voxel_keys
from s3d_splat.instances.graph import components
from s3d_splat.instances.options import FirstSeed
from s3d_splat.instances.sampling import farthest_points

_ASKED = 1_000  # points that stand for all where their spacing is measured
_BLOCK = 2048  # points whose distances to all centres fit into the processor's cache


def joint_space(
    positions: Float[Tensor, "n 3"], features: Float[Tensor, "n d"], position_weight: float
) -> Float[Tensor, "n e"]:
    """Unit features beside positions scaled by `position_weight` (units a metre), as float32, about the positions' mean.

    Scaled positions stand for the paper's positional encoding: sinusoids fold distant places onto each other.
    """
    centred = (positions.double() - positions.double().mean(0)).float()
    return torch.cat((normalize(features.float(), dim=1), centred * position_weight), dim=1)


def over_segment(
    points: Float[Tensor, "n e"],
    count: int,
    iterations: int,
    generator: torch.Generator,
    first_seed: FirstSeed = "random",
) -> Int[Tensor, " n"]:
    """The over-segment of each point, 0..k-1 with k <= count and none empty.

    Lloyd's k-means from farthest-point seeds (the first is drawn from `generator`, or the outermost point); the sampling is
    the first assignment, so `iterations` counts how often centres move. The same bits for the same seed.
    """
    if first_seed == "random":
        start = int(torch.randint(len(points), (1,), generator=generator))
    else:
        start = int((points - points.mean(0)).square().sum(1).argmax())
    seeds, labels = farthest_points(points, count, start)
    for _ in range(iterations):
        labels = _nearest(points, segment_means(points, labels, len(seeds)))
    used = torch.bincount(labels, minlength=len(seeds)) > 0
    return (used.cumsum(0) - 1)[labels]


def connected_parts(
    positions: Float[Tensor, "n 3"], segments: Int[Tensor, " n"], voxel: float, min_points: int
) -> Int[Tensor, " n"]:
    """Segments (0, 1, ...) cut into parts (0, 1, ...) that do not touch: none of their cells share a face.

    Cells have the edge of two voxels (metres). Features tell
    apart what one view shows together, and may be the same for two objects that no view shows together. Parts with fewer
    than `min_points` stay with the largest part of their segment.
    """
    edge = 2 * voxel
    cells = voxel_keys(positions, edge)
    named, patch = torch.unique(torch.stack((segments, cells)), dim=1, return_inverse=True)
    pairs = touching_labels(positions, patch, edge)
    owner = named[0]
    part = components(len(owner), pairs[owner[pairs[:, 0]] == owner[pairs[:, 1]]])
    sizes = torch.bincount(part[patch])
    by_size = torch.argsort(sizes[part], stable=True).numpy()
    of_segment = np.zeros(int(owner.max()) + 1, dtype=np.int64)
    of_segment[owner.numpy()[by_size]] = part.numpy()[by_size]  # the last one stays written; with torch it may be any
    largest = torch.from_numpy(of_segment)
    kept = torch.where(sizes[part] >= min_points, part, largest[owner])
    return torch.unique(kept, return_inverse=True)[1][patch]


def usual_spacing(positions: Float[Tensor, "n 3"]) -> float:
    """Median distance (metres) of a point to the nearest other one, over a thousand evenly chosen points; 0 below two."""
    points = positions.numpy()
    asked = points[:: max(1, len(points) // _ASKED)]
    return float(np.median(cKDTree(points).query(asked, 2)[0][:, 1])) if len(points) > 1 else 0.0


def segment_means(
    values: Float[Tensor, "n e"], labels: Int[Tensor, " n"], count: int, weights: Float[Tensor, " n"] | None = None
) -> Float[Tensor, "k e"]:
    """(Weighted) mean of the values of each label; infinite where a label has no weight."""
    weight = None if weights is None else weights.double()
    columns = values.T if weight is None else values.T * weight
    total = torch.stack([torch.bincount(labels, column, count) for column in columns.double()], dim=1)
    sizes = torch.bincount(labels, weight, count).double()
    return torch.where(sizes[:, None] > 0, total / sizes[:, None].clamp(min=1e-300), torch.inf).to(values.dtype)


def _nearest(points: Float[Tensor, "n e"], centres: Float[Tensor, "k e"]) -> Int[Tensor, " n"]:
    """The nearest centre of each point; centres at infinity are nobody's."""
    usable = torch.nonzero(torch.isfinite(centres).all(1))[:, 0]
    centres = centres[usable]
    half_norms = centres.square().sum(1).numpy() / 2
    # By numpy, whose argmin is vectorised, and whose product of so small a block is not shared between threads.
    array, axes = points.numpy(), centres.numpy().T
    labels = np.empty(len(array), dtype=np.int64)
    for first in range(0, len(array), _BLOCK):
        score = array[first : first + _BLOCK] @ axes
        labels[first : first + _BLOCK] = np.subtract(half_norms, score, out=score).argmin(1)
    return usable[torch.from_numpy(labels)]
