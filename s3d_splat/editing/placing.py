"""Objects somewhere else, turned, larger, twice or in another colour. Only their own Gaussians change."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.editing.operations import Duplicate, Move, Recolour, Rotate, Scale, Vector
from s3d_splat.editing.rows import (
    SceneRows,
    appended,
    chosen_rows,
    decoded,
    owned,
    rows_of,
    scene_of,
    separated,
    without_children,
)
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.scaffold.placement import quaternion_product

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear RGB by ITU-R BT.709; near enough for display values
_LOOKS = 12  # views that tell how bright an object is
_DARKEST = 0.05  # luminance below which an object's differences of brightness are noise, and are not blown up further


def move(scene: EditableScene, step: Move) -> EditResult:
    """The objects shifted by `step.by` metres."""
    return _transformed(scene, step.ids, shift=step.by, said=f"moved {_named(step.ids)} by {_numbers(step.by)} m")


def rotate(scene: EditableScene, step: Rotate) -> EditResult:
    """The objects turned about their middle."""
    half, axis = math.radians(step.degrees) / 2, torch.tensor(step.axis, dtype=torch.float64)
    turn = torch.cat([torch.tensor([math.cos(half)], dtype=torch.float64), math.sin(half) * axis / axis.norm()])
    said = f"turned {_named(step.ids)} by {step.degrees:g} degrees about {_numbers(step.axis)}"
    return _transformed(scene, step.ids, turn=turn, said=said)


def scale(scene: EditableScene, step: Scale) -> EditResult:
    """The objects `step.factor` times as large, about their middle."""
    return _transformed(scene, step.ids, factor=step.factor, said=f"scaled {_named(step.ids)} by {step.factor:g}")


def duplicate(scene: EditableScene, step: Duplicate) -> EditResult:
    """Copies of the objects, shifted by `step.by` metres; their ids follow the highest one of the scene."""
    rows = rows_of(scene)
    own = owned(rows, step.ids)
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


def recolour(scene: EditableScene, step: Recolour, around: Surroundings) -> EditResult:
    """The objects in another colour, which their bright parts have; darker parts stay darker, in proportion."""
    rows, index = separated(rows_of(scene), step.ids)
    painted = scene.field.edited(rows.anchors, rows.placement)
    bright = _bright(painted, owned(rows, step.ids).reshape(-1), around)
    weights = bright.new_tensor(_LUMINANCE)
    paint = torch.outer(bright.new_tensor(step.colour), weights / bright.clamp(min=_DARKEST))
    mixed = (1 - step.strength) * torch.eye(3).to(paint) + step.strength * paint
    colour = rows.placement.colour.clone()
    colour[index] = torch.einsum("ij,ajk->aik", mixed, colour[index])
    rows = replace(rows, placement=replace(rows.placement, colour=colour))
    said = f"coloured {_named(step.ids)} {_numbers(step.colour)}"
    return EditResult(scene_of(scene, rows, step.ids), _none(), said)


def _bright(field: AnchorField, own: Bool[Tensor, " n"], around: Surroundings) -> Float[Tensor, ""]:
    """The luminance that all but a fifth of what views show of some Gaussians stays under."""
    few = torch.linspace(0, len(around.cameras) - 1, min(len(around.cameras), _LOOKS)).round().long().tolist()
    weights = field.positions.new_tensor(_LUMINANCE)
    luminances, shown = [field.positions.new_zeros(1)], [field.positions.new_full((1,), 1e-9)]
    for camera in (around.cameras[place] for place in few):
        gaussians = decoded(field, camera)
        everywhere = torch.zeros(camera.height, camera.width, dtype=torch.int64, device=own.device)
        lifted = around.rasterizer.lift(gaussians, camera, everywhere)
        mine = own[lifted.gaussian]
        luminances.append(gaussians.colours[lifted.gaussian[mine]] @ weights)
        shown.append(lifted.weight[mine].to(field.positions))
    luminance, order = torch.cat(luminances).sort()
    weight = torch.cat(shown)[order].cumsum(0)
    return luminance[int((weight < 0.8 * weight[-1]).sum().clamp(max=len(luminance) - 1))]


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
    own = owned(rows, ids).reshape(-1)
    middle = decoded(scene.field.edited(rows.anchors, rows.placement)).means[own].mean(0)
    moved = _placed_rows(rows, index, middle, shift, turn, factor)
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
