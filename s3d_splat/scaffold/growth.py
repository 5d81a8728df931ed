"""Adding and removing anchors while training, after Scaffold-GS (section 3.2 there: error-based growing and pruning).

One rule differs: Scaffold-GS judges what was seen in a share of the interval's steps, which suits a camera that circles an
object. A camera inside a room sees each wall in few of its images, so that here a number of visits is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.scaffold.field import TRAINED_COLUMNS, AnchorField, AnchorTable
from s3d_splat.scaffold.options import GrowthOptions

SHRINK = 1.6  # how much smaller the children of a new anchor are than the child it grew from (as 3DGS splits)


@dataclass
class GrowthStatistics:
    """What the children did since the last growth; sums over the steps in which they were on the screen."""

    gradient: Float[Tensor, "a k"]  # screen-space gradient norms, in units of half the image's longer side
    seen: Float[Tensor, "a k"]  # steps in which the child was drawn
    opacity: Float[Tensor, " a"]  # mean opacity of the anchor's children, over the steps that saw it
    visits: Float[Tensor, " a"]  # steps in which the anchor was in view

    @classmethod
    def zeros(cls, anchors: int, children: int, device: torch.device) -> GrowthStatistics:
        """Statistics of a field that has not been looked at yet."""
        shapes = ((anchors, children), (anchors, children), (anchors,), (anchors,))
        return cls(*(torch.zeros(shape, device=device) for shape in shapes))

    def update(
        self,
        visible: Int[Tensor, " v"],
        means2d_gradient: Float[Tensor, "n 2"],
        radii: Float[Tensor, " n"],
        opacities: Float[Tensor, " n"],
        longer_side: int,
    ) -> None:
        """Add one step: `visible` are the anchors that were decoded, the rest is per decoded child (n = v * k)."""
        children = self.seen.shape[1]
        drawn = (radii > 0).to(self.seen.dtype).view(-1, children)
        gradient = means2d_gradient.norm(dim=-1).view(-1, children) * (0.5 * longer_side)
        self.gradient.index_add_(0, visible, gradient * drawn)
        self.seen.index_add_(0, visible, drawn)
        self.opacity.index_add_(0, visible, opacities.view(-1, children).mean(1))
        self.visits.index_add_(0, visible, torch.ones_like(self.opacity[visible]))

    def state(self) -> dict[str, Tensor]:
        """The sums, by name, for a checkpoint."""
        return {column.name: getattr(self, column.name) for column in fields(self)}


def resize(field: AnchorField, optimizer: torch.optim.Optimizer, keep: Bool[Tensor, " a"], added: AnchorTable) -> None:
    """Keep the rows `keep` of the field, append `added`, and do the same to the optimiser's state (zeros for new rows).

    The one place where a parameter changes its length. Every trained column must be the only parameter of its group.
    """
    old = {name: getattr(field, name) for name in TRAINED_COLUMNS}
    merged = {
        column.name: torch.cat([getattr(field.anchors, column.name)[keep], getattr(added, column.name)])
        for column in fields(AnchorTable)
    }
    field.replace_anchors(AnchorTable(**merged))
    for name in TRAINED_COLUMNS:
        new = getattr(field, name)
        group = next(group for group in optimizer.param_groups if group["params"][0] is old[name])
        group["params"] = [new]
        state = optimizer.state.pop(old[name], {})
        optimizer.state[new] = {
            key: torch.cat([value[keep], value.new_zeros(new.shape[0] - int(keep.sum()), *value.shape[1:])])
            if key in ("exp_avg", "exp_avg_sq")
            else value
            for key, value in state.items()
        }


def rows_to_keep(statistics: GrowthStatistics, options: GrowthOptions) -> Bool[Tensor, " a"]:
    """Anchors to keep: those that were seen too rarely to be judged, or whose children are opaque enough."""
    judged = statistics.visits >= options.min_visits
    mean_opacity = statistics.opacity / statistics.visits.clamp(min=1.0)
    return ~(judged & (mean_opacity < options.min_opacity))


@torch.no_grad()
def new_anchors(
    field: AnchorField,
    statistics: GrowthStatistics,
    voxel: float,
    options: GrowthOptions,
    generator: torch.Generator,
) -> AnchorTable:
    """Anchors for the cells where children with a large screen-space gradient sit and no anchor does yet.

    Level m uses cells of `voxel * coarsest_factor / level_factor**m` and the threshold `gradient_threshold * 2**m`, as
    Scaffold-GS. A new anchor inherits the embedding, feature and base of the child with the largest gradient in its cell.
    """
    mean_gradient = statistics.gradient / statistics.seen.clamp(min=1.0)
    judged = statistics.seen >= options.min_visits
    children = field.offsets * field.log_extent.exp()[:, None] + field.positions[:, None]
    candidates: list[AnchorTable] = []
    occupied = field.positions
    room = options.max_anchors - field.anchor_count
    for level in range(options.levels):
        cell = voxel * options.coarsest_factor / options.level_factor**level
        threshold = options.gradient_threshold * 2**level
        chosen = (judged & (mean_gradient >= threshold)).reshape(-1).nonzero()[:, 0]
        if chosen.numel() == 0 or room <= 0:
            break
        chosen = chosen[torch.argsort(mean_gradient.reshape(-1)[chosen], descending=True, stable=True)]
        free = _first_in_free_cells(children.reshape(-1, 3)[chosen], occupied, cell)
        rows = chosen[free][:room]
        if rows.numel():
            candidates.append(_spawn(field, rows, children.reshape(-1, 3)[rows], cell, generator))
            occupied = torch.cat([occupied, candidates[-1].positions])
            room -= rows.numel()
    return (
        _concatenate(candidates)
        if candidates
        else _rows_of(field.anchors, torch.zeros(0, dtype=torch.int64, device=field.positions.device))
    )


def _first_in_free_cells(points: Float[Tensor, "n 3"], occupied: Float[Tensor, "m 3"], cell: float) -> Int[Tensor, " f"]:
    """The first point of every cell that holds none of `occupied`, in the order of the points."""
    low = torch.minimum(points.amin(0), occupied.amin(0))
    cells = torch.cat([torch.floor((p - low).double() / cell).long() for p in (occupied, points)])
    _, key = torch.unique(cells, dim=0, return_inverse=True)
    first = key.new_full((int(key.max()) + 1,), key.numel())
    first = first.scatter_reduce(0, key, torch.arange(key.numel(), device=key.device), "amin")
    return (first[first >= occupied.shape[0]] - occupied.shape[0]).sort().values


def _spawn(
    field: AnchorField, rows: Int[Tensor, " n"], positions: Float[Tensor, "n 3"], cell: float, generator: torch.Generator
) -> AnchorTable:
    children = field.options.children
    parent = rows // children
    offsets = torch.randn(rows.numel(), children, 3, generator=generator).to(positions) * 0.25

    def inherited(column: Tensor) -> Tensor:
        return column.flatten(0, 1)[rows][:, None].expand(-1, children, *column.shape[2:])

    return AnchorTable(
        positions=positions,
        embedding=field.embedding[parent],
        log_extent=positions.new_full((rows.numel(), 3), math.log(cell)),
        offsets=offsets,
        opacity_logits=inherited(field.opacity_logits),
        log_scales=inherited(field.log_scales) - math.log(SHRINK),
        quaternions=inherited(field.quaternions),
        colour_logits=inherited(field.colour_logits),
        feature=field.feature[parent] if field.feature.ndim == 2 else inherited(field.feature),
    )


def _rows_of(table: AnchorTable, index: Int[Tensor, " n"]) -> AnchorTable:
    return AnchorTable(**{column.name: getattr(table, column.name)[index].detach() for column in fields(AnchorTable)})


def _concatenate(tables: list[AnchorTable]) -> AnchorTable:
    return AnchorTable(
        **{column.name: torch.cat([getattr(table, column.name) for table in tables]) for column in fields(AnchorTable)}
    )
