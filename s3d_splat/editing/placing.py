"""Objects somewhere else, turned, larger, twice or in another colour. Only their own Gaussians change."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.editing.operations import Duplicate, Move, Recolour, Rotate, Scale, Vector
from s3d_splat.editing.rows import (
    SceneRows,
    appended,
    box_of,
    chosen_rows,
    decoded,
    rows_of,
    scene_of,
    separated,
    without_children,
)
from s3d_splat.editing.rows import owned as owned_by
from s3d_splat.editing.values import EditableScene, EditResult
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.scaffold.placement import quaternion_product

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear RGB by ITU-R BT.709; near enough for display values
_DARKEST = 0.05  # mean luminance below which an object's differences of brightness are noise, and are not blown up further


def move(scene: EditableScene, step: Move) -> EditResult:
    """The objects shifted by `step.by` metres."""
    return _transformed(scene, step.ids, shift=step.by, said=f"moved {_named(step.ids)} by {_numbers(step.by)} m")


def rotate(scene: EditableScene, step: Rotate) -> EditResult:
    """The objects turned about the middle of their box."""
    half, axis = math.radians(step.degrees) / 2, torch.tensor(step.axis, dtype=torch.float64)
    turn = torch.cat([torch.tensor([math.cos(half)], dtype=torch.float64), math.sin(half) * axis / axis.norm()])
    said = f"turned {_named(step.ids)} by {step.degrees:g} degrees about {_numbers(step.axis)}"
    return _transformed(scene, step.ids, turn=turn, said=said)


def scale(scene: EditableScene, step: Scale) -> EditResult:
    """The objects `step.factor` times as large, about the middle of their box."""
    return _transformed(scene, step.ids, factor=step.factor, said=f"scaled {_named(step.ids)} by {step.factor:g}")


def duplicate(scene: EditableScene, step: Duplicate) -> EditResult:
    """Copies of the objects, shifted by `step.by` metres; their ids follow the highest one of the scene."""
    rows = rows_of(scene)
    own = owned_by(rows, step.ids)
    index = own.any(1).nonzero()[:, 0]
    copies = without_children(chosen_rows(rows, index), ~own[index])
    first = int(scene.instances.instance_id.max()) + 1
    fresh = tuple(range(first, first + len(step.ids)))
    positions = copies.anchors.positions + copies.anchors.positions.new_tensor(step.by)
    copies = replace(
        copies,
        anchors=replace(copies.anchors, positions=positions),
        anchor_instance=_renamed(copies.anchor_instance, step.ids, fresh),
        child_instance=_renamed(copies.child_instance, step.ids, fresh),
    )
    result = scene_of(scene, appended(rows, copies), fresh, copied_from=step.ids)
    said = f"copied {_named(step.ids)} as {_named(fresh)}, {_numbers(step.by)} m away"
    return EditResult(result, _none(), said, fresh)


def recolour(scene: EditableScene, step: Recolour) -> EditResult:
    """The objects with their mean colour replaced; brighter and darker parts stay so, in proportion."""
    rows, index = separated(rows_of(scene), step.ids)
    gaussians = decoded(scene.field.edited(rows.anchors, rows.placement))
    own = owned_by(rows, step.ids).reshape(-1)
    area = gaussians.log_scales[own].sort(dim=1).values[:, 1:].sum(1).exp() * gaussians.opacities[own]
    mean = (gaussians.colours[own] * area[:, None]).sum(0) / area.sum().clamp(min=1e-12)
    weights = mean.new_tensor(_LUMINANCE)
    paint = torch.outer(mean.new_tensor(step.colour), weights / torch.clamp(weights @ mean, min=_DARKEST))
    mixed = (1 - step.strength) * torch.eye(3).to(mean) + step.strength * paint
    colour = rows.placement.colour.clone()
    colour[index] = torch.einsum("ij,ajk->aik", mixed, colour[index])
    rows = replace(rows, placement=replace(rows.placement, colour=colour))
    said = f"coloured {_named(step.ids)} {_numbers(step.colour)}"
    return EditResult(scene_of(scene, rows, step.ids), _none(), said)


def _transformed(
    scene: EditableScene,
    ids: tuple[int, ...],
    *,
    said: str,
    shift: Vector = (0.0, 0.0, 0.0),
    turn: Float[Tensor, "4"] | None = None,
    factor: float = 1.0,
) -> EditResult:
    rows, index = separated(rows_of(scene), ids)
    moved = _placed_rows(rows, index, box_of(scene, ids).mean(0), shift, turn, factor)
    return EditResult(scene_of(scene, moved, ids), _none(), said)


def _placed_rows(
    rows: SceneRows,
    index: Int[Tensor, " n"],
    middle: Float[Tensor, "3"],
    shift: Vector,
    turn: Float[Tensor, "4"] | None,
    factor: float,
) -> SceneRows:
    positions, placement = rows.anchors.positions.clone(), rows.placement
    local = positions[index]
    if turn is not None or factor != 1:
        centre = middle.to(positions)
        local = factor * (local - centre)
        if turn is not None:
            local = local @ rotation_matrices(turn).to(positions).T
        local = local + centre
    positions[index] = local + positions.new_tensor(shift)
    if turn is not None:
        rotation = placement.rotation.clone()
        by = turn.to(rotation).expand(len(index), 4)
        rotation[index] = torch.nn.functional.normalize(quaternion_product(by, rotation[index]), dim=1)
        placement = replace(placement, rotation=rotation)
    if factor != 1:
        scales = placement.scale.clone()
        scales[index] = scales[index] * factor
        placement = replace(placement, scale=scales)
    return replace(rows, anchors=replace(rows.anchors, positions=positions), placement=placement)


def _renamed(values: Int[Tensor, "*n"], old: tuple[int, ...], new: tuple[int, ...]) -> Int[Tensor, "*n"]:
    result = values.clone()
    for before, after in zip(old, new, strict=True):
        result[values == before] = after
    return result


def _none() -> Int[Tensor, " m"]:
    return torch.zeros(0, dtype=torch.int64)


def _named(ids: tuple[int, ...]) -> str:
    return f"object{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids))}"


def _numbers(values: Vector) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
