"""Rows of a scene that is being edited, anchors and their objects together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from s3d_splat.editing.values import EditableScene
from s3d_splat.scaffold.field import AnchorField, AnchorTable
from s3d_splat.scaffold.placement import Placement, placement_rows, untouched
from s3d_splat.types import Camera, Gaussians, InstanceSet

ANYWHERE = Camera(torch.eye(4), fx=1.0, fy=1.0, cx=0.5, cy=0.5, width=1, height=1)  # centres are the same for every camera


@dataclass(frozen=True)
class SceneRows:
    """All that an edit may change, one row an anchor; on the field's device."""

    anchors: AnchorTable
    placement: Placement
    anchor_instance: Int[Tensor, " a"]
    child_instance: Int[Tensor, "a k"]

    @property
    def alive(self) -> Bool[Tensor, "a k"]:
        """The children that have not been removed."""
        return self.placement.opacity > 0


def rows_of(scene: EditableScene) -> SceneRows:
    """The rows of a scene: its own tensors."""
    table, child = scene.field.anchors, scene.instances.child_instance
    device = table.positions.device
    placement = scene.field.placement or untouched(child.shape[0], child.shape[1], table.positions)
    return SceneRows(table, placement, scene.instances.anchor_instance.to(device), child.to(device))


def chosen_rows(rows: SceneRows, index: Int[Tensor, " n"]) -> SceneRows:
    """Copies of some rows."""
    table = AnchorTable(**{column.name: getattr(rows.anchors, column.name)[index] for column in fields(AnchorTable)})
    return SceneRows(table, placement_rows(rows.placement, index), rows.anchor_instance[index], rows.child_instance[index])


def appended(rows: SceneRows, more: SceneRows) -> SceneRows:
    """The rows of both, in this order."""

    def both(kind: type, first: object, second: object) -> dict[str, Tensor]:
        return {c.name: torch.cat([getattr(first, c.name), getattr(second, c.name)]) for c in fields(kind)}

    return SceneRows(
        AnchorTable(**both(AnchorTable, rows.anchors, more.anchors)),
        Placement(**both(Placement, rows.placement, more.placement)),
        torch.cat([rows.anchor_instance, more.anchor_instance]),
        torch.cat([rows.child_instance, more.child_instance]),
    )


def without_children(rows: SceneRows, gone: Bool[Tensor, "a k"]) -> SceneRows:
    """Rows in which some children are removed; an anchor then belongs to the object that owns most of what is left of it."""
    child = torch.where(gone, 0, rows.child_instance)
    anchor = torch.where(gone.any(1), majority(child), rows.anchor_instance)
    placement = replace(rows.placement, opacity=torch.where(gone, 0.0, rows.placement.opacity))
    return replace(rows, placement=placement, child_instance=child, anchor_instance=anchor)


def majority(child_instance: Int[Tensor, "a k"]) -> Int[Tensor, " a"]:
    """The most frequent id of every row that is not 0 (ties: the first), 0 where there is none."""
    alike = (child_instance[:, :, None] == child_instance[:, None]).sum(2) * (child_instance > 0)
    return torch.take_along_dim(child_instance, alike.argmax(1, keepdim=True), dim=1)[:, 0]


def owned(rows: SceneRows, ids: tuple[int, ...]) -> Bool[Tensor, "a k"]:
    """The children that belong to the objects."""
    return torch.isin(rows.child_instance, rows.child_instance.new_tensor(ids))


def separated(rows: SceneRows, ids: tuple[int, ...]) -> tuple[SceneRows, Int[Tensor, " n"]]:
    """Rows in which no anchor of the objects has a child of anything else, and the anchors of the objects.

    Where an anchor has both, a copy that comes last takes the objects' children over.
    """
    own = owned(rows, ids)
    mixed = own.any(1) & (rows.alive & ~own).any(1)
    if not mixed.any():
        return rows, own.any(1).nonzero()[:, 0]
    moved = without_children(chosen_rows(rows, mixed.nonzero()[:, 0]), ~own[mixed])
    left = without_children(rows, own & mixed[:, None])
    result = appended(left, moved)
    return result, owned(result, ids).any(1).nonzero()[:, 0]


def scene_of(
    scene: EditableScene, rows: SceneRows, touched: tuple[int, ...], copied_from: tuple[int, ...] = ()
) -> EditableScene:
    """The scene with other rows. Sizes and boxes of the touched objects are counted again; empty ones are gone.

    Touched ids that the scene lacks are new objects: the i-th is a copy of the i-th of `copied_from`.
    """
    field = scene.field.edited(rows.anchors, rows.placement)
    known = scene.instances
    labels = {"anchor_instance": rows.anchor_instance.cpu(), "child_instance": rows.child_instance.cpu()}
    table = _with_copies(known, touched, copied_from)
    means = decoded(field).means.cpu()
    owner = labels["child_instance"].reshape(-1)
    size, aabb = table.size.clone(), table.aabb.clone()
    for row in torch.isin(table.instance_id, table.instance_id.new_tensor(touched)).nonzero()[:, 0].tolist():
        points = means[owner == table.instance_id[row]]
        size[row] = len(points)
        if len(points):
            aabb[row] = torch.stack((points.amin(0), points.amax(0))).to(aabb)
    kept = size > 0
    columns = {name: getattr(table, name)[kept] for name in ("instance_id", "class_id", "is_thing", "score")}
    return EditableScene(field, InstanceSet(**labels, **columns, size=size[kept], aabb=aabb[kept]))


def without_empty_anchors(scene: EditableScene) -> EditableScene:
    """The scene without anchors of which everything has been removed. Rows are others then."""
    rows = rows_of(scene)
    kept = rows.alive.any(1)
    if kept.all():
        return scene
    rows = chosen_rows(rows, kept.nonzero()[:, 0])
    labels = {"anchor_instance": rows.anchor_instance.cpu(), "child_instance": rows.child_instance.cpu()}
    return EditableScene(scene.field.edited(rows.anchors, rows.placement), replace(scene.instances, **labels))


def decoded(field: AnchorField, camera: Camera = ANYWHERE) -> Gaussians:
    """All Gaussians, without features."""
    return field.decode(camera, with_features=False)


def shapes_of(field: AnchorField) -> Callable[[Camera], Gaussians]:
    """What gives all Gaussians as a camera sees them, but for their colours: decoded once, where that is all the same."""
    if field.options.view_dependent_opacity:
        return lambda camera: decoded(field, camera)
    gaussians = decoded(field)
    return lambda camera: gaussians


def _with_copies(known: InstanceSet, touched: tuple[int, ...], copied_from: tuple[int, ...]) -> InstanceSet:
    present = set(known.instance_id.tolist())
    fresh = [id for id in touched if id not in present]
    row_of = {id: row for row, id in enumerate(known.instance_id.tolist())}
    source = torch.tensor([row_of[id] for id in copied_from], dtype=torch.int64)
    columns = {
        name: torch.cat([getattr(known, name), getattr(known, name)[source]])
        for name in ("class_id", "is_thing", "score", "size", "aabb")
    }
    ids = torch.cat([known.instance_id, known.instance_id.new_tensor(fresh)])
    return replace(known, instance_id=ids, **columns)
