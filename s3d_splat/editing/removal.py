"""Objects taken away, or everything else."""

from __future__ import annotations

import torch

from s3d_splat.editing.operations import Extract, Remove
from s3d_splat.editing.rows import owned, rows_of, scene_of, without_children
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings


def remove(scene: EditableScene, step: Remove, around: Surroundings) -> EditResult:
    """The scene without the objects."""
    rows = rows_of(scene)
    own = owned(rows, step.ids)
    result = scene_of(scene, without_children(rows, own), step.ids)
    named = f"object{'s' if len(step.ids) > 1 else ''} {', '.join(map(str, step.ids))}"
    return EditResult(result, torch.zeros(0, dtype=torch.int64), f"removed {named}: {int(own.sum())} Gaussians")


def extract(scene: EditableScene, step: Extract) -> EditResult:
    """The objects without the scene."""
    rows = rows_of(scene)
    own = owned(rows, step.ids)
    everything = tuple(scene.instances.instance_id.tolist())
    result = scene_of(scene, without_children(rows, ~own & rows.alive), everything)
    named = f"object{'s' if len(step.ids) > 1 else ''} {', '.join(map(str, step.ids))}"
    return EditResult(result, torch.zeros(0, dtype=torch.int64), f"kept {named} alone: {int(own.sum())} Gaussians")
