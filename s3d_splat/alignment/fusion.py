"""One cloud from the depth of all images: a grid in space of which every cell keeps one point, and a filter by sight.

The images are streamed. What is held is one row of sums for each occupied cell, and a small depth image of every image for
the question which others see the same surface and which look through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s3d_splat.alignment.depth_filter import smooth_depth, surface_normals
from s3d_splat.alignment.options import FusionOptions
from s3d_splat.alignment.pixels import cell_size, fused_depth, load_image
from s3d_splat.alignment.sight import SightRange, count_votes, sight_range
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.alignment.voxel_table import VoxelTable
from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import unproject_depth
from s3d_splat.types import ProxyGeometry

Advance = Callable[[int, int], None]

_SAMPLES = 20_000  # pixels that are used of an image, about
_LEAST_TRUST = 0.05  # pixels of lower confidence are not used


def fuse(frames: Sequence[WorldFrame], options: FusionOptions, advance: Advance | None = None) -> ProxyGeometry:
    """The surfaces that the images show, one point for each cell of a grid.

    Depth is smoothed within its surface; points fall into cells with weight confidence / depth^2 and move onto the surface
    through their cell and its neighbours. Then every image votes on the points in its view: for a point on its own surface,
    against one that it looks through. Points with too few votes, or with more votes against than for them, go.
    A capture without any depth image gives the sparse points of its clusters, merged by cell, without normals.
    Images of the test split have no part in it.

    Args:
        frames: all images; those without any depth have no part in it either.
        advance: told of the work done, of twice the number of images.

    Returns:
        Points (world units) in ascending order of their cells, colours, normals towards the cameras (0 where unknown), and
        confidence (0..1): the mean trust in the depth, times the share of votes for the point.

    Raises:
        S3DError: nothing is left, or a file is missing, unreadable or of another size than the camera.
    """
    train = [frame for frame in frames if not frame.is_test]
    dense = [frame for frame in train if any(source.frame.depth_path is not None for source in frame.sources)]
    return _fuse_images(dense, options, advance) if dense else _merge_sparse(train, options, advance)


def _fuse_images(frames: Sequence[WorldFrame], options: FusionOptions, advance: Advance | None) -> ProxyGeometry:
    table = VoxelTable(cell_size(frames, options.cell), options.cells)
    ranges: list[SightRange] = []
    for done, frame in enumerate(frames):
        ranges.append(_add_image(table, frame))
        if advance is not None:
            advance(done + 1, 2 * len(frames))
    table.settle()
    rows = torch.from_numpy(table.rows())
    if len(rows) == 0:
        raise S3DError(
            f"none of the {len(frames)} images with depth has a pixel of {_LEAST_TRUST:.0%} confidence",
            why="points of the proxy come from depth that is trusted",
            fix="check the depth images, and confidence/ (uint8, 255 = fully trusted); without confidence/ all depth is",
        )
    points = rows[:, 1:4] / rows[:, :1]
    after = None if advance is None else lambda done, total: advance(total + done, 2 * total)
    votes = count_votes(points, ranges, table.voxel, after)
    keep = (votes.agree >= min(options.images, len(frames))) & (votes.through <= votes.agree)
    share = votes.agree / (votes.agree + votes.through + 1)
    if not bool(keep.any()):
        raise S3DError(
            f"no surface is where {min(options.images, len(frames))} of the {len(frames)} images with depth say it is",
            why="a point of the proxy is one on which several images agree",
            fix="check the poses and the unit of the depth images, or ask for fewer images with fusion.images",
        )
    return _cloud(rows, share, keep, normals=torch.nn.functional.normalize(rows[:, 8:11], dim=1))


def _add_image(table: VoxelTable, frame: WorldFrame) -> SightRange:
    """Put the points of an image into the table."""
    given, confidence = fused_depth(frame)
    depth = smooth_depth(given, confidence)
    trusted = (depth > 0) & (confidence >= _LEAST_TRUST)
    points = unproject_depth(depth.double(), frame.camera)
    normals = surface_normals(points, depth).float()
    step = max(1, round((depth.numel() / _SAMPLES) ** 0.5))
    chosen = torch.zeros_like(trusted)
    chosen[step // 2 :: step, step // 2 :: step] = True
    chosen &= trusted
    trust = confidence[chosen]
    colours = load_image(frame)[chosen].float() / 255
    values = torch.cat([colours, trust[:, None]], dim=1)
    table.add(points[chosen].numpy(), (trust / depth[chosen].square()).numpy(), values.numpy(), normals[chosen].numpy())
    return sight_range(frame.camera, torch.where(trusted, depth, 0.0))


def _merge_sparse(frames: Sequence[WorldFrame], options: FusionOptions, advance: Advance | None) -> ProxyGeometry:
    """The points of structure from motion, which has seen each in several images already."""
    table = VoxelTable(cell_size(frames, options.cell), options.cells)
    for done, frame in enumerate(frames):
        _add_sparse(table, frame)
        if advance is not None:
            advance(done + 1, len(frames))
    rows = torch.from_numpy(table.rows())
    if len(rows) == 0:
        raise S3DError(
            "the capture has no depth images, and no points of structure from motion",
            why="training starts from points on the surfaces",
            fix="add depth images, or let the colmap prior find points: --geometry colmap",
        )
    seen = rows[:, 11]
    return _cloud(rows, seen / (seen + 1), torch.ones(len(rows), dtype=torch.bool), normals=None)


def _add_sparse(table: VoxelTable, frame: WorldFrame) -> None:
    """Every point where the image sees it, which differs a little from image to image: a cell has the weighted mean."""
    colours = load_image(frame).float() / 255
    for source in frame.sources:
        if source.sparse is None:
            continue
        camera, depth = source.frame.camera, source.sparse.depth.double()
        size = torch.tensor([camera.width, camera.height])
        pixel = torch.floor(source.sparse.pixels).long()
        inside = ((pixel >= 0) & (pixel < size)).all(1) & (depth > 0)
        x, y = source.sparse.pixels[inside].double().unbind(-1)
        rays = torch.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, torch.ones_like(x)], dim=1)
        pose = frame.camera.T_world_camera.double()
        points = pose[:3, 3] + depth[inside, None] * rays @ pose[:3, :3].T
        column, row = pixel[inside].unbind(-1)
        values = torch.cat([colours[row, column], torch.ones(len(points), 1)], dim=1)
        weight = (1 / depth[inside].square()).float()
        table.add(points.numpy(), weight.numpy(), values.numpy(), np.zeros((len(points), 3), dtype=np.float32))


def _cloud(
    rows: Float[Tensor, "n c"], share: Float[Tensor, " n"], keep: Bool[Tensor, " n"], normals: Float[Tensor, "n 3"] | None
) -> ProxyGeometry:
    means = rows[keep, 1:8] / rows[keep, :1]
    return ProxyGeometry(
        points=means[:, :3],
        colours=means[:, 3:6].clamp(0, 1),
        normals=None if normals is None else normals[keep],
        confidence=(means[:, 6] * share[keep]).clamp(0, 1),
    )
