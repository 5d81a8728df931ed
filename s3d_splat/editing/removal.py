"""Objects taken away, or everything else."""

from __future__ import annotations

from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.editing.exposure import MOST_CHANGED, laid_bare
from s3d_splat.editing.filling import fillings
from s3d_splat.editing.operations import Extract, Remove
from s3d_splat.editing.rows import SceneRows, appended, decoded, owned, rows_of, scene_of, without_children
from s3d_splat.editing.sight import look
from s3d_splat.editing.surfaces import seen_points, surfaces_near, wider_box_margin
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings
from s3d_splat.instances.over_segmentation import usual_spacing
from s3d_splat.types import Gaussians

_THICKNESS = 0.03  # metres from a plane within which its Gaussians lie
_REACH = 0.15  # metres within which a surface touches an object
_SPARSE = 0.1  # metres between anchors; where they are sparser, as in a scene in another unit, all lengths grow with them


def remove(scene: EditableScene, step: Remove, around: Surroundings) -> EditResult:
    """The scene without the objects: nothing floats where they were, and what they hid is filled if that is asked for."""
    rows, gaussians = rows_of(scene), decoded(scene.field)
    own = owned(rows, step.ids)
    left, changed = without_children(rows, own), torch.zeros(0, dtype=torch.int64)
    box = _solid_box(gaussians, own.reshape(-1))
    sights = look(scene, step.ids, box, around)
    filled = 0
    if sights and step.fill:
        unit = max(1.0, usual_spacing(scene.field.positions.cpu()) / _SPARSE)
        thickness, reach = unit * _THICKNESS, unit * _REACH
        seen = seen_points(sights, box, wider_box_margin(reach), thickness / 2)
        surfaces = surfaces_near(seen, gaussians, rows.child_instance.reshape(-1), box, thickness, reach)
        more = fillings(left, scene.field, gaussians, surfaces, box, sights, thickness, around)
        filled = sum(int(part.alive.sum()) for part in more)
        left = reduce(appended, more, left)
    if sights:
        bare = laid_bare(scene.field, scene.field.edited(left.anchors, left.placement), sights, around)
        left, changed = _without_bare(left, bare)
    said = f"removed {_named(step.ids)}: {int(own.sum())} Gaussians, {len(changed)} of other objects at the rim"
    said += f", {filled} fill what was hidden" if filled else ""
    labels = (rows.child_instance.reshape(-1)[changed.to(own.device)], left.child_instance[len(own) :].reshape(-1))
    touched = {*step.ids, *torch.cat(labels).unique().tolist()}
    return EditResult(scene_of(scene, left, tuple(touched & set(scene.instances.instance_id.tolist()))), changed, said)


def extract(scene: EditableScene, step: Extract) -> EditResult:
    """The objects without the scene."""
    rows = rows_of(scene)
    own = owned(rows, step.ids)
    everything = tuple(scene.instances.instance_id.tolist())
    result = scene_of(scene, without_children(rows, ~own & rows.alive), everything)
    said = f"kept {_named(step.ids)} alone: {int(own.sum())} Gaussians"
    return EditResult(result, torch.zeros(0, dtype=torch.int64), said)


def _without_bare(rows: SceneRows, bare: Float[Tensor, " n"]) -> tuple[SceneRows, Int[Tensor, " m"]]:
    """Rows without what a removal laid bare, the worst of it where it is much; and which Gaussians had an object."""
    label = rows.child_instance.reshape(-1)
    others = label[: len(bare)] > 0
    worst = torch.where(others, bare, 0.0).topk(int(MOST_CHANGED * int(others.sum())))
    gone = torch.zeros_like(label, dtype=torch.bool)
    gone[: len(bare)] = (bare > 0) & ~others
    gone[worst.indices[worst.values > 0]] = True
    return without_children(rows, gone.view_as(rows.child_instance)), (gone & (label > 0)).nonzero()[:, 0].cpu()


def _named(ids: tuple[int, ...]) -> str:
    return f"object{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids))}"


def _solid_box(gaussians: Gaussians, own: Tensor) -> Float[Tensor, "2 3"]:
    """The box of the objects without their outermost Gaussians, metres."""
    solid = own & (gaussians.opacities > 0.3)
    points = gaussians.means[solid if solid.any() else own]
    return torch.stack((points.quantile(0.02, dim=0), points.quantile(0.98, dim=0)))
