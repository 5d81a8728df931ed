"""A surface as a picture of itself: which of its texels are seen, which a removed object hid, and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.editing.patches import grown
from s3d_splat.editing.rows import decoded
from s3d_splat.editing.sight import Sight
from s3d_splat.editing.surfaces import Surface
from s3d_splat.editing.values import Surroundings
from s3d_splat.geometry.cameras import project
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Camera, Gaussians

_SEEN = 2  # views that must show a texel
_OPEN = 2  # views that see through a texel where there is no surface
_SEEN_SHARE = 0.3  # of the views that look there: mixed pixels at an object's edge show what is under it, too
_HALO = 0.7  # of the thickness: as far round a hole the colours of what is removed bleed into its rim
_OPAQUE = 0.8  # alpha of a texel that colours can be taken from
_FAR = 50.0  # how many sizes of the picture away the camera stands that takes it
_BEFORE = 8.0  # in the same way, from where view-dependent colours are taken: not too far from where people stand


@dataclass(frozen=True)
class Grid:
    """Where the texels of a surface lie."""

    corner: Float[Tensor, "3"]  # of the first texel, metres
    axes: Float[Tensor, "3 3"]  # rows: along columns, along rows, into the surface
    size: float  # of a texel, metres
    height: int
    width: int

    def texel_of(self, points: Float[Tensor, "n 3"]) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
        """Number of the texel (row by row) in front of or behind which each point lies, and which points have one."""
        column, row = ((points - self.corner) @ self.axes[:2].T / self.size).floor().long().unbind(1)
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        return torch.where(inside, row * self.width + column, 0), inside

    def centres(self) -> Float[Tensor, "t 3"]:
        """Middle of every texel, row by row."""
        row, column = torch.meshgrid(torch.arange(self.height), torch.arange(self.width), indexing="ij")
        steps = torch.stack((column, row), -1).reshape(-1, 2).to(self.corner) + 0.5
        return self.corner + self.size * steps @ self.axes[:2]

    def depth_of(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """How far behind the surface points lie, metres."""
        return (points - self.corner) @ self.axes[2]


@dataclass(frozen=True)
class Texels:
    """What is known of each texel of a surface."""

    grid: Grid
    colour: Float[Tensor, "h w 3"]
    known: Bool[Tensor, "h w"]  # seen as this surface, and opaque
    hole: Bool[Tensor, "h w"]  # hidden by what is removed, and not known


def texels_of(
    surface: Surface,
    gaussians: Gaussians,
    box: Float[Tensor, "2 3"],
    size: float,
    margin: float,
    thickness: float,
    sights: Sequence[Sight],
) -> Texels | None:
    """The texels of a surface that lie within `margin` of a box; None if the surface is not there. Lengths in metres.

    A texel is a hole if some view shows what is removed in front of it, none sees it, and none sees through it.
    """
    grid = _grid(surface, gaussians.means, box, size, margin)
    if grid is None:
        return None
    count = grid.height * grid.width
    seen, hidden, through = (torch.zeros(count, device=grid.corner.device) for _ in range(3))
    centres = grid.centres()
    for sight in sights:
        index, at = _pixels(centres, sight)
        depth = grid.depth_of(sight.point.reshape(-1, 3)[at])
        gone, shown = sight.gone.reshape(-1)[at], sight.shown.reshape(-1)[at]
        seen[index] += (shown == surface.instance) & (depth.abs() < thickness)
        hidden[index] += gone & (depth < thickness)
        through[index] += ~gone & (shown >= 0) & (depth > 2 * thickness)
    shape = (grid.height, grid.width)
    is_seen = ((seen >= _SEEN) & (seen >= _SEEN_SHARE * (seen + hidden))).view(shape)
    was_hidden = ((hidden >= 1) & (through < _OPEN)).view(shape)
    hole = grown(was_hidden & ~is_seen & _extent(is_seen), round(_HALO * thickness / size)) & (was_hidden | is_seen)
    return Texels(grid, torch.zeros(*shape, 3).to(grid.corner), is_seen & ~hole, hole)


def with_colours(texels: Texels, field: AnchorField, members: Int[Tensor, " m"], around: Surroundings) -> Texels:
    """The texels with the colours that some Gaussians of the field give them, seen squarely."""
    grid = texels.grid
    sides = grid.size * torch.tensor([grid.width, grid.height]).to(grid.corner)
    middle, longest = grid.corner + sides / 2 @ grid.axes[:2], float(sides.max())
    camera = _square_on(grid, middle, _FAR * longest)
    gaussians = decoded(field, _square_on(grid, middle, _BEFORE * grid.size * 10))
    own = replace(
        gaussians,
        **{
            name: getattr(gaussians, name)[members]
            for name in ("means", "log_scales", "quaternions", "opacities", "colours")
        },
    )
    output = around.rasterizer.render(own, camera)
    colour = output.colour / output.alpha.clamp(min=1e-3)[..., None]
    return replace(texels, colour=colour, known=texels.known & (output.alpha > _OPAQUE))


def _grid(
    surface: Surface, means: Float[Tensor, "n 3"], box: Float[Tensor, "2 3"], size: float, margin: float
) -> Grid | None:
    """The texels in the rectangle of a surface's members and of the wider box."""
    members = (means[surface.members] - surface.origin) @ surface.axes[:2].T
    corners = torch.cartesian_prod(*(box - surface.origin).T)
    around = corners @ surface.axes[:2].T
    low = torch.maximum(members.quantile(0.002, dim=0), around.amin(0) - margin)
    high = torch.minimum(members.quantile(0.998, dim=0), around.amax(0) + margin)
    width, height = (((high - low) / size).ceil().long()).tolist()
    if width < 3 or height < 3:
        return None
    return Grid(surface.origin + low @ surface.axes[:2], surface.axes, size, height, width)


def _pixels(points: Float[Tensor, "n 3"], sight: Sight) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"]]:
    """The points in view, and the pixel (row by row) that each falls into."""
    at, depth = project(points, sight.camera)
    column, row = at.floor().long().unbind(1)
    inside = (depth > 0.01) & (column >= 0) & (column < sight.camera.width) & (row >= 0) & (row < sight.camera.height)
    return inside.nonzero()[:, 0], (row * sight.camera.width + column)[inside]


def _extent(seen: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """The rectangle in which a surface is seen."""
    if not seen.any():
        return seen
    result = torch.zeros_like(seen)
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    result[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return result


def _square_on(grid: Grid, middle: Float[Tensor, "3"], distance: float) -> Camera:
    pose = torch.eye(4).to(middle)
    pose[:3, :3] = grid.axes.T
    pose[:3, 3] = middle - distance * grid.axes[2]
    focal = distance / grid.size
    return Camera(pose, focal, focal, grid.width / 2, grid.height / 2, grid.width, grid.height)
