"""What images say for and against a point: that a surface lies there, or that they look through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.geometry.cameras import is_in_view, project
from s3d_splat.types import Camera

Advance = Callable[[int, int], None]

_COLUMNS = 80  # of what is kept of an image, about
_TOLERANCE = 0.03  # share of the depth
_BLOCK = 32  # voxels along the edge of a block of points that is in view or not as a whole


@dataclass(frozen=True)
class SightRange:
    """The nearest and the farthest depth in square blocks of pixels of an image: what is kept of it."""

    camera: Camera  # with the blocks as pixels
    nearest: Float[Tensor, "h w"]  # infinite: nothing is known in the block
    farthest: Float[Tensor, "h w"]
    clear: Float[Tensor, "h w"]  # the nearest depth in the block and its eight neighbours: there is nothing before it


def sight_range(camera: Camera, depth: Float[Tensor, "h w"]) -> SightRange:
    """Condense a depth image (0 = none) to about 80 columns."""
    side = max(1, round(camera.width / _COLUMNS))
    rows, columns = -(-camera.height // side), -(-camera.width // side)
    padded = torch.nn.functional.pad(depth, [0, columns * side - camera.width, 0, rows * side - camera.height])
    near = torch.where(padded > 0, padded, torch.inf)
    blocks = torch.stack([-near, padded])[None]
    minus_nearest, farthest = torch.nn.functional.max_pool2d(blocks, side)[0]
    clear = -torch.nn.functional.max_pool2d(minus_nearest[None, None], 3, stride=1, padding=1)[0, 0]
    scaled = {name: getattr(camera, name) / side for name in ("fx", "fy", "cx", "cy")}
    return SightRange(replace(camera, **scaled, width=columns, height=rows), -minus_nearest, farthest, clear)


class PointBlocks:
    """Points sorted into cubes, so that the cost of finding those in view does not grow with the scene."""

    def __init__(self, points: Float[Tensor, "n 3"], voxel: float) -> None:
        edge = _BLOCK * voxel
        cells, block = torch.unique(torch.floor(points.double() / edge), dim=0, return_inverse=True)
        self._order = torch.argsort(block, stable=True)
        self._size = torch.bincount(block, minlength=len(cells))
        self._start = self._size.cumsum(0) - self._size
        self._centres = (cells + 0.5) * edge
        self._radius = edge * 0.5 * 3**0.5
        self._points = points[self._order]

    def near_view(self, camera: Camera, farthest: float) -> tuple[Int[Tensor, " m"], Float[Tensor, "m 3"]]:
        """Indices and positions of the points in cubes that the view up to a depth touches, and of some others."""
        pose = camera.T_world_camera.double()
        ahead = (self._centres - pose[:3, 3]) @ pose[:3, 2]
        margin = self._radius * max(camera.fx, camera.fy) / ahead.clamp(min=1e-6)
        inside = self._in_cone(camera, margin) & (ahead < farthest + self._radius) & (ahead > -self._radius)
        chosen = (inside | (ahead.abs() <= self._radius)).nonzero()[:, 0]
        size = self._size[chosen]
        within = torch.arange(int(size.sum())) - torch.repeat_interleave(size.cumsum(0) - size, size)
        places = torch.repeat_interleave(self._start[chosen], size) + within
        return self._order[places], self._points[places]

    def _in_cone(self, camera: Camera, margin: Float[Tensor, " b"]) -> Bool[Tensor, " b"]:
        pixels, depth = project(self._centres, replace(camera, T_world_camera=camera.T_world_camera.double()))
        x, y = pixels.unbind(-1)
        # A sphere off the axis spans more than one on it, in a view of 120 degrees up to twice as much.
        wide = 2 * margin
        across = (x > -wide) & (x < camera.width + wide)
        return (depth > 0) & across & (y > -wide) & (y < camera.height + wide)


@dataclass(frozen=True)
class Votes:
    """Images for and against each point."""

    agree: Int[Tensor, " n"]
    through: Int[Tensor, " n"]


def count_votes(
    points: Float[Tensor, "n 3"], ranges: Sequence[SightRange], voxel: float, advance: Advance | None = None
) -> Votes:
    """Ask every image about the points in its view.

    Args:
        points: on surfaces that the images see, within one cell of edge `voxel`.
        advance: told of each image that was asked.
    """
    blocks = PointBlocks(points, voxel)
    agree, through = (torch.zeros(len(points), dtype=torch.int64) for _ in range(2))
    for done, seen in enumerate(ranges):
        index, near = blocks.near_view(seen.camera, float(seen.farthest.max()))
        is_agreed, is_through = _vote(near, seen, voxel)
        agree[index[is_agreed]] += 1
        through[index[is_through]] += 1
        if advance is not None:
            advance(done + 1, len(ranges))
    return Votes(agree, through)


def _vote(points: Float[Tensor, "m 3"], seen: SightRange, voxel: float) -> tuple[Bool[Tensor, " m"], Bool[Tensor, " m"]]:
    """Which points lie on the depth of an image, and which it looks through."""
    camera = replace(seen.camera, T_world_camera=seen.camera.T_world_camera.to(points))
    inside = is_in_view(points, camera)
    pixels, z = project(points[inside], camera)
    column, row = torch.floor(pixels).long().unbind(-1)
    column, row = column.clamp(0, camera.width - 1), row.clamp(0, camera.height - 1)
    nearest, farthest, clear = (layer[row, column] for layer in (seen.nearest, seen.farthest, seen.clear))
    agreed, through = torch.zeros_like(inside), torch.zeros_like(inside)
    before, behind = z < (1 - _TOLERANCE) * nearest - voxel, z > (1 + _TOLERANCE) * farthest + voxel
    agreed[inside] = ~before & ~behind
    through[inside] = torch.isfinite(clear) & (z < (1 - _TOLERANCE) * clear - voxel)
    return agreed, through
