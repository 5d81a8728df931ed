"""The anchors that training starts from: the proxy's points, thinned on a voxel grid."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.geometry.rotations import quaternions_from_matrices
from s3d_splat.scaffold.field import AnchorTable
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.types import ProxyGeometry

OUTLIER_NEIGHBOURS = 8
OUTLIER_FACTOR = 4.0  # a point this many times further from its neighbours than the median point is a floater
MIN_CONFIDENCE = 0.1
WIDTH = 0.7  # sigma of a Gaussian over its distance to the next ones
FLATNESS = 0.35  # thickness over width of a Gaussian that lies on a surface with a known normal
FEW_POINTS = 16  # fewer proxy points than this cannot start a scene


def anchors_from_proxy(
    proxy: ProxyGeometry, options: ScaffoldOptions, generator: torch.Generator
) -> tuple[AnchorTable, float]:
    """Anchors whose children start on proxy points, and the anchors' voxel size in metres.

    The voxel size is the smallest with at most `options.anchors` occupied cells. Each child takes one of the points in its
    cell (position, colour, normal), near it where there are fewer points than children. Points that stand alone or that the
    prior does not trust are left out. Where the points carry instances, a cell's children come from its most frequent
    one, so that no anchor straddles two objects.

    Raises:
        S3DError: the proxy has too few points to start from.
    """
    keep = _trusted(proxy)
    if int(keep.sum()) < FEW_POINTS:
        raise S3DError(
            f"the proxy has {int(keep.sum())} usable points of {proxy.points.shape[0]}",
            why=f"anchors start on proxy points, and a scene needs at least {FEW_POINTS}",
            fix="give a denser proxy.ply, for example by `s3d-splat prepare` with depth images",
        )
    points, colours = proxy.points[keep].float(), proxy.colours[keep].float()
    normals = None if proxy.normals is None else proxy.normals[keep].float()
    if float((points.amax(0) - points.amin(0)).max()) <= 0.0:
        raise S3DError(
            f"all {points.shape[0]} usable points of the proxy are one point",
            why="anchors start on the surfaces of the scene",
            fix="give a proxy.ply whose points lie on those surfaces",
        )
    voxel = _voxel_for(points, min(options.anchors, points.shape[0]))
    cell, positions = _cells(points, voxel)
    usable = torch.arange(len(points))
    if proxy.instances is not None:
        usable = _of_cells_main_label(cell, proxy.instances[keep].long())
    child = usable[
        _choose_children(cell[usable], positions.shape[0], options.children, generator)
    ]  # [a, k] rows of `points`
    means = points[child]
    repeated = _repeats(child)
    jitter = torch.randn(means.shape, generator=generator) * (0.25 * voxel)
    means = torch.where(repeated[..., None], means + jitter, means)
    spacing = _spacing(means.reshape(-1, 3), upper=voxel).reshape(child.shape)
    log_scales, quaternions = _shapes(spacing, None if normals is None else normals[child])
    count = positions.shape[0]
    owners = (count, options.children) if options.feature_per == "gaussian" else (count,)
    table = AnchorTable(
        positions=positions,
        embedding=torch.randn(count, options.embedding, generator=generator) * 0.1,
        log_extent=torch.full((count, 3), math.log(voxel)),
        offsets=(means - positions[:, None]) / voxel,
        opacity_logits=torch.full(child.shape, math.log(options.opacity / (1.0 - options.opacity))),
        log_scales=log_scales,
        quaternions=quaternions,
        colour_logits=torch.logit(colours[child].clamp(0.02, 0.98)),
        feature=torch.randn(*owners, options.features, generator=generator),
    )
    return table, voxel


def _trusted(proxy: ProxyGeometry) -> Bool[Tensor, " n"]:
    keep = torch.ones(proxy.points.shape[0], dtype=torch.bool)
    if proxy.confidence is not None:
        keep &= proxy.confidence >= MIN_CONFIDENCE
    if proxy.points.shape[0] > OUTLIER_NEIGHBOURS:
        points = proxy.points.numpy()
        distance = cKDTree(points).query(points, k=OUTLIER_NEIGHBOURS + 1, workers=-1)[0].mean(1)
        keep &= torch.from_numpy(distance <= OUTLIER_FACTOR * np.median(distance))
    return keep


def _voxel_for(points: Float[Tensor, "n 3"], wanted: int) -> float:
    """The smallest voxel size (to 2 %) that leaves at most `wanted` occupied cells."""
    extent = float((points.amax(0) - points.amin(0)).max())
    low, high = 1e-4 * extent, extent + 1e-6
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        if torch.unique(_cell_keys(points, middle)).numel() > wanted:
            low = middle
        else:
            high = middle
    return high


def _cell_keys(points: Float[Tensor, "n 3"], voxel: float) -> Int[Tensor, " n"]:
    cells = torch.floor((points - points.amin(0)).double() / voxel).long()
    sizes = cells.amax(0) + 1
    return (cells[:, 0] * sizes[1] + cells[:, 1]) * sizes[2] + cells[:, 2]


def _cells(points: Float[Tensor, "n 3"], voxel: float) -> tuple[Int[Tensor, " n"], Float[Tensor, "a 3"]]:
    """The cell of each point, and the mean point of each cell."""
    _, cell = torch.unique(_cell_keys(points, voxel), return_inverse=True)
    count = int(cell.max()) + 1
    total = torch.zeros(count, 3).index_add_(0, cell, points)
    return cell, total / torch.bincount(cell, minlength=count)[:, None]


def _choose_children(cell: Int[Tensor, " n"], count: int, children: int, generator: torch.Generator) -> Int[Tensor, "a k"]:
    """k rows for each cell: its points in random order, over again where it has fewer than k."""
    order = torch.randperm(cell.numel(), generator=generator)
    order = order[torch.argsort(cell[order], stable=True)]
    size = torch.bincount(cell, minlength=count)
    start = torch.cumsum(size, 0) - size
    return order[start[:, None] + torch.arange(children) % size[:, None]]


def _of_cells_main_label(cell: Int[Tensor, " n"], label: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    """The points that carry their cell's most frequent label (ties: the lowest)."""
    pairs, pair, size = torch.unique(torch.stack([cell, label], 1), dim=0, return_inverse=True, return_counts=True)
    order = torch.argsort(size, descending=True, stable=True)
    order = order[torch.argsort(pairs[order, 0], stable=True)]
    first = torch.ones(len(order), dtype=torch.bool)
    first[1:] = pairs[order[1:], 0] != pairs[order[:-1], 0]
    main = torch.zeros(len(pairs), dtype=torch.bool)
    main[order[first]] = True
    return main[pair].nonzero()[:, 0]


def _repeats(child: Int[Tensor, "a k"]) -> Bool[Tensor, "a k"]:
    """Children that took a row which an earlier child of the same anchor has."""
    same = child[:, :, None] == child[:, None, :]
    return same.tril(-1).any(-1)


def _spacing(points: Float[Tensor, "n 3"], upper: float) -> Float[Tensor, " n"]:
    """Mean distance to the three nearest others, at most `upper`."""
    array = points.numpy()
    distance = cKDTree(array).query(array, k=min(4, len(array)), workers=-1)[0][:, 1:].mean(1)
    return torch.from_numpy(distance).float().clamp(1e-4 * upper, upper)


def _shapes(
    spacing: Float[Tensor, "a k"], normals: Float[Tensor, "a k 3"] | None
) -> tuple[Float[Tensor, "a k 3"], Float[Tensor, "a k 4"]]:
    """Log scales and quaternions: round, or a disc on the surface where normals are known."""
    log_scales = (WIDTH * spacing).log()[..., None].repeat(1, 1, 3)
    if normals is None:
        return log_scales, torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(*spacing.shape, 4)
    log_scales[..., 2] += math.log(FLATNESS)
    return log_scales, quaternions_from_matrices(_frames(normals))


def _frames(normals: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Right-handed rotations whose third column is the normal (the z axis where a normal is missing, that is zero)."""
    missing = normals.norm(dim=-1, keepdim=True) < 1e-6
    normals = torch.where(missing, torch.tensor([0.0, 0.0, 1.0]), normals)
    unit = torch.nn.functional.normalize(normals, dim=-1)
    helper = torch.where(unit[..., :1].abs() < 0.9, torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))
    first = torch.nn.functional.normalize(torch.linalg.cross(helper, unit), dim=-1)
    return torch.stack([first, torch.linalg.cross(unit, first), unit], -1)
