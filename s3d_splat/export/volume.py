"""A surface gathered from depth images: signed distances in a grid that exists only near surfaces."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.geometry.cameras import is_in_view, project, unproject_depth
from s3d_splat.geometry.voxels import voxel_keys
from s3d_splat.types import Camera

SIDE = 8  # voxels along the edge of a block
TRUNCATION = 4  # voxels; distances are kept up to here on both sides of a surface
_CELLS = SIDE**3
_BITS, _HALF = 21, 1 << 20  # of the keys of `voxel_keys`
_AT_ONCE = 1 << 21  # voxels that are updated in one go


@dataclass(frozen=True)
class DepthView:
    """What one camera shows: depth along z in metres (0 = nothing is known), colours in 0..1, instance ids (0 = none)."""

    camera: Camera
    depth: Float[Tensor, "h w"]
    colour: Float[Tensor, "h w 3"]
    instances: Int[Tensor, "h w"]


@dataclass
class Voxels:
    """One row a voxel, `SIDE` cubed of them a block, x slowest."""

    distance: Float[Tensor, " n"]  # in truncations: 1 in front of the surface, negative behind it
    weight: Float[Tensor, " n"]  # 0: no view has seen it near a surface
    colour: Float[Tensor, "n 3"]
    instance: Int[Tensor, " n"]  # the id that most views showed here
    vote: Float[Tensor, " n"]  # by how much it leads


class SurfaceVolume:
    """Truncated signed distances (Curless and Levoy, 1996) in hashed blocks (Niessner et al., 2013), fused view by view.

    A view counts inversely to depth. The instance of a voxel is a running majority (Boyer and Moore, 1991), so that memory
    grows neither with views nor with objects. Where two surfaces meet in a pixel there is no telling their depths apart:
    pixels at a step in depth count for nothing.
    """

    def __init__(self, voxel: float, max_blocks: int) -> None:
        """Args: voxel: edge, metres; max_blocks: a view that needs more raises OverflowError."""
        self.voxel, self.max_blocks = voxel, max_blocks
        self.keys = torch.zeros(0, dtype=torch.int64)  # of the blocks, ascending
        self.order = torch.zeros(0, dtype=torch.int64)  # where in `voxels` each of them lies
        self.voxels = _empty(0)
        axis = torch.arange(SIDE)
        self._within = torch.cartesian_prod(axis, axis, axis)

    def add(self, view: DepthView) -> None:
        """Take a view in.

        Raises:
            OverflowError: the surfaces need more blocks than allowed.
        """
        depth = _without_steps(view.depth)
        self._allocate(depth, view.camera)
        centres = (block_origin(self.keys) + SIDE / 2) * self.voxel
        reach = SIDE * self.voxel
        margin = reach * max(view.camera.fx, view.camera.fy) / project(centres, view.camera)[1].clamp(min=reach)
        near = is_in_view(centres, view.camera, near=-reach) | _almost(centres, view.camera, margin)
        rows = torch.nonzero(near)[:, 0]
        for part in rows.split(max(1, _AT_ONCE // _CELLS)):
            self._update(part, depth, view)

    def _update(self, blocks: Int[Tensor, " b"], depth: Float[Tensor, "h w"], view: DepthView) -> None:
        cells = (block_origin(self.keys[blocks])[:, None] + self._within).reshape(-1, 3)
        slots = (self.order[blocks][:, None] * _CELLS + torch.arange(_CELLS)).reshape(-1)
        pixels, z = project((cells.to(depth) + 0.5) * self.voxel, view.camera)
        column, row = pixels.floor().clamp(-1, max(view.depth.shape)).long().unbind(-1)
        inside = (z > 0) & (column >= 0) & (column < depth.shape[1]) & (row >= 0) & (row < depth.shape[0])
        slots, z, row, column = slots[inside], z[inside], row[inside], column[inside]
        seen = depth[row, column]
        distance = (seen - z) / (TRUNCATION * self.voxel)
        told = (seen > 0) & (distance > -1)
        slots, row, column, distance = slots[told], row[told], column[told], distance[told].clamp(max=1)
        weight = 1 / seen[told]
        close = distance < 1  # free space says nothing about colours and objects
        self._blend(slots, distance, weight)
        self._paint(slots[close], view.colour[row[close], column[close]], weight[close])
        self._vote(slots[close], view.instances[row[close], column[close]], weight[close])

    def _blend(self, slots: Int[Tensor, " n"], distance: Float[Tensor, " n"], weight: Float[Tensor, " n"]) -> None:
        before = self.voxels.weight[slots]
        total = before + weight
        self.voxels.distance[slots] = (self.voxels.distance[slots] * before + distance * weight) / total
        self.voxels.weight[slots] = total

    def _paint(self, slots: Int[Tensor, " n"], colour: Float[Tensor, "n 3"], weight: Float[Tensor, " n"]) -> None:
        share = (weight / self.voxels.weight[slots])[:, None]
        self.voxels.colour[slots] += share * (colour - self.voxels.colour[slots])

    def _vote(self, slots: Int[Tensor, " n"], instance: Int[Tensor, " n"], weight: Float[Tensor, " n"]) -> None:
        held, lead = self.voxels.instance[slots], self.voxels.vote[slots]
        left = torch.where(held == instance, lead + weight, lead - weight)
        self.voxels.instance[slots] = torch.where(left < 0, instance.to(held), held)
        self.voxels.vote[slots] = left.abs()

    def _allocate(self, depth: Float[Tensor, "h w"], camera: Camera) -> None:
        """Blocks for what lies within a truncation of the depths."""
        known = depth > 0
        reach = TRUNCATION * self.voxel
        points = [unproject_depth((depth + shift).clamp(min=1e-6), camera)[known] for shift in (-reach, 0.0, reach)]
        wanted = torch.unique(voxel_keys(torch.cat(points), SIDE * self.voxel))
        new = wanted[~torch.isin(wanted, self.keys)]
        if len(self.keys) + len(new) > self.max_blocks:
            raise OverflowError(f"more than {self.max_blocks} blocks")
        if len(new):
            slots = torch.cat((self.order, torch.arange(len(self.keys), len(self.keys) + len(new))))
            self.keys, sorting = torch.cat((self.keys, new)).sort()
            self.order = slots[sorting]
            more = _empty(len(new) * _CELLS)
            self.voxels = Voxels(
                *(torch.cat((getattr(self.voxels, field.name), getattr(more, field.name))) for field in fields(Voxels))
            )


def block_origin(keys: Int[Tensor, " n"]) -> Int[Tensor, "n 3"]:
    """The lowest voxel of each block, counted from the world's origin."""
    mask = (1 << _BITS) - 1
    return (torch.stack((keys >> 2 * _BITS, keys >> _BITS & mask, keys & mask), dim=1) - _HALF) * SIDE


def _almost(centres: Float[Tensor, "n 3"], camera: Camera, margin: Float[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which blocks reach into the image though their centre lies beside it; `margin` is their half width in pixels."""
    pixels, z = project(centres, camera)
    x, y = pixels.unbind(-1)
    beside = (x > -margin) & (x < camera.width + margin) & (y > -margin) & (y < camera.height + margin)
    return beside & (z > 0)


def _without_steps(depth: Float[Tensor, "h w"], step: float = 0.05) -> Float[Tensor, "h w"]:
    """Depths, 0 where the 3 x 3 pixels around differ by more than this share, or one of them is unknown."""
    padded = depth[None, None]
    high = torch.nn.functional.max_pool2d(padded, 3, stride=1, padding=1)[0, 0]
    low = -torch.nn.functional.max_pool2d(-padded, 3, stride=1, padding=1)[0, 0]
    return torch.where((low > 0) & (high - low <= step * depth), depth, 0)


def _empty(count: int) -> Voxels:
    return Voxels(
        torch.ones(count),
        torch.zeros(count),
        torch.zeros(count, 3),
        torch.zeros(count, dtype=torch.int32),
        torch.zeros(count),
    )
