"""Instances of points in the world: which object's splats fill the place where a point lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.raster.base import LOG_SCALE_MAX
from s3d_splat.types import Gaussians

SIGMAS = 3.0  # an ellipsoid of so many standard deviations holds a point
ANCHOR_REACH = 0.05  # metres; how far a point that no ellipsoid holds looks for an anchor
_SUMS = 1 << 25  # cells of the table of weight sums (points x instances) that are held at a time
_PAIRS = 1 << 18  # candidate pairs (point, Gaussian) that are looked at in one go
_COLUMNS = 1 << 19  # grid columns that are looked up in one go
_CELLS = 1 << 15  # grid cells that the points span along x or y, at most (twice as many after rounding, 8 times along z)
_SPAN = 8 * _CELLS + 3


def label_points(
    points: Float[Tensor, "n 3"],
    gaussians: Gaussians,
    child_instance: Int[Tensor, " g"],
    anchor_positions: Float[Tensor, "a 3"],
    anchor_instance: Int[Tensor, " a"],
    *,
    reach: float = ANCHOR_REACH,
) -> Int[Tensor, " n"]:
    """Give each point (metres) the instance of the splats around it.

    A point takes the instance with the largest sum of opacity times Gaussian weight exp(-d^2 / 2) over the Gaussians whose
    3-sigma ellipsoid holds it (d <= 3, the Mahalanobis distance); Gaussians without an instance (0), or that no rasterizer
    draws (22 km large, or not finite), have no say. A point
    that none of them holds takes the instance of the nearest anchor within `reach`, else 0. Equal sums: the lowest id.

    Args:
        gaussians: decoded splats; only means, scales, rotations and opacities are used.
        child_instance: instance of each Gaussian, 0 = none.
        reach: 5 cm in the unit of the points.

    Returns:
        Instance ids in the dtype of `child_instance`; 0 = none.
    """
    points = points.to(gaussians.means)
    best = points.new_zeros(len(points))
    labels = torch.zeros(len(points), dtype=child_instance.dtype, device=points.device)
    useful = (child_instance > 0) & (gaussians.opacities > 0) & (gaussians.log_scales < LOG_SCALE_MAX).all(dim=1)
    ids = child_instance[useful].unique()
    if len(points) and len(ids):
        cells = _Cells(points)
        width = max(1, _SUMS // len(points))
        for group in ids.split(width):
            chosen = useful & torch.isin(child_instance, group)
            owners = torch.searchsorted(group, child_instance[chosen])
            sums = _weight_sums(cells, _ellipsoids(gaussians, chosen), owners, len(group))
            strongest, column = sums.max(dim=1)
            better = strongest > best
            best, labels = torch.where(better, strongest, best), torch.where(better, group[column], labels)
    alone = torch.nonzero(best == 0)[:, 0]
    nearest = _nearest_anchor(points[alone], anchor_positions.to(points), anchor_instance, reach)
    return labels.index_put((alone,), nearest.to(labels.dtype))


@dataclass(frozen=True)
class _Ellipsoids:
    means: Float[Tensor, "g 3"]
    whitening: Float[Tensor, "g 3 3"]  # maps an offset from the mean to standard deviations
    half_extent: Float[Tensor, "g 3"]  # of the axis-aligned box around the 3-sigma ellipsoid
    opacities: Float[Tensor, " g"]


class _Cells:
    """Points sorted into a grid: columns along x and y, and along z within a column, so a stretch of it is one slice."""

    def __init__(self, points: Float[Tensor, "n 3"]) -> None:
        self.points = points
        self.low = points.amin(dim=0)
        self.extent = float((points.amax(dim=0) - self.low).max())
        self._sorted: dict[int, tuple[Tensor, Tensor]] = {}

    def octaves(self, half_extent: Float[Tensor, "g 3"]) -> Int[Tensor, " g"]:
        """The grid that suits each box: its cells are 2^octave metres wide, between half and all of the half width."""
        smallest = max(self.extent / _CELLS, 1e-6)
        return half_extent[:, :2].amax(dim=1).clamp_min(smallest).log2().floor().clamp_max(30).long()

    def indices(self, positions: Float[Tensor, "m 3"], octave: int) -> Int[Tensor, "m 3"]:
        """Grid cells of positions, kept within one cell of the grid."""
        cell = torch.tensor([1.0, 1.0, 0.25]).to(positions) * 2.0**octave  # flat: little of a column is used
        return ((positions - self.low) / cell).floor().clamp(-1, _SPAN - 2).long()

    def keys(self, cells: Int[Tensor, "m 3"]) -> Int[Tensor, " m"]:
        """One number per cell; those of a column are consecutive."""
        x, y, z = (cells + 1).unbind(dim=1)
        return (x * _SPAN + y) * _SPAN + z

    def sorted(self, octave: int) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Ascending cell keys of the points, and which point each belongs to."""
        if octave not in self._sorted:
            self._sorted[octave] = self.keys(self.indices(self.points, octave)).sort()
        return self._sorted[octave]


def _weight_sums(cells: _Cells, ellipsoids: _Ellipsoids, column: Int[Tensor, " g"], columns: int) -> Float[Tensor, "n c"]:
    """Sums of opacity times Gaussian weight per point and column (an instance)."""
    sums = cells.points.new_zeros(len(cells.points) * columns)
    octaves = cells.octaves(ellipsoids.half_extent)
    for octave in octaves.unique().tolist():
        for members in torch.nonzero(octaves == octave)[:, 0].split(_COLUMNS // 25):  # a box meets at most 5 x 5 columns
            for point, gaussian in _candidates(cells, ellipsoids, members, octave):
                offset = cells.points[point] - ellipsoids.means[gaussian]
                whitened = torch.einsum("nij,nj->ni", ellipsoids.whitening[gaussian], offset)
                squared = whitened.square().sum(dim=1)
                held = squared <= SIGMAS**2
                point, gaussian = point[held], gaussian[held]
                weight = ellipsoids.opacities[gaussian] * torch.exp(-0.5 * squared[held])
                sums.index_add_(0, point * columns + column[gaussian], weight)
    return sums.view(-1, columns)


def _candidates(
    cells: _Cells, ellipsoids: _Ellipsoids, members: Int[Tensor, " m"], octave: int
) -> Iterator[tuple[Int[Tensor, " p"], Int[Tensor, " p"]]]:
    """Pairs (point, Gaussian) in whose boxes' grid cells the points lie, a bounded number at a time."""
    keys, order = cells.sorted(octave)
    mean, half = ellipsoids.means[members], ellipsoids.half_extent[members]
    low, high = cells.indices(mean - half, octave), cells.indices(mean + half, octave)
    width, depth = (high - low + 1)[:, :2].unbind(dim=1)
    owner, nth = _expand(width * depth)
    corner = torch.stack([low[owner, 0] + nth // depth[owner], low[owner, 1] + nth % depth[owner]], dim=1)
    first = torch.searchsorted(keys, cells.keys(torch.cat([corner, low[owner, 2:]], dim=1)))
    last = torch.searchsorted(keys, cells.keys(torch.cat([corner, high[owner, 2:]], dim=1)), right=True)
    found = torch.nonzero(last > first)[:, 0]
    first, counts, owner = first[found], (last - first)[found], owner[found]
    batch = (counts.cumsum(0) - 1) // _PAIRS
    lengths = torch.unique_consecutive(batch, return_counts=True)[1].tolist()
    for slot, count, box in zip(first.split(lengths), counts.split(lengths), owner.split(lengths), strict=True):
        entry, nth = _expand(count)
        yield order[slot[entry] + nth], members[box[entry]]


def _expand(counts: Int[Tensor, " m"]) -> tuple[Int[Tensor, " t"], Int[Tensor, " t"]]:
    """For each of `counts[i]` copies of i: i, and the number of the copy from 0."""
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    starts = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - starts[owner]


def _ellipsoids(gaussians: Gaussians, chosen: Bool[Tensor, " n"]) -> _Ellipsoids:
    scales = gaussians.log_scales[chosen].exp()
    rotation = rotation_matrices(gaussians.quaternions[chosen])
    axes = rotation * scales[:, None, :]  # columns: the ellipsoid's axes, one standard deviation long
    return _Ellipsoids(
        gaussians.means[chosen],
        (rotation / scales[:, None, :]).transpose(1, 2),
        1.0001 * SIGMAS * axes.norm(dim=2),  # a little larger, so that rounding loses no point
        gaussians.opacities[chosen],
    )


def _nearest_anchor(
    points: Float[Tensor, "n 3"], positions: Float[Tensor, "a 3"], instance: Int[Tensor, " a"], reach: float
) -> Int[Tensor, " n"]:
    _, index = nearest_neighbours(points, positions, 1, radius=reach)
    padded = torch.cat([instance, instance.new_zeros(1)])  # index -1, no anchor within reach, is instance 0
    return padded[index[:, 0]]
