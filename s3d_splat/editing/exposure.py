"""Gaussians that a removal lays bare though no view ever saw them so: what bled into the object, or hid behind it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.editing.rows import shapes_of
from s3d_splat.editing.sight import Sight
from s3d_splat.editing.values import Surroundings
from s3d_splat.scaffold.field import AnchorField

_LEAST_BARE = 1.0  # pixels; what weighs less in every view is not seen
_KNOWN = 0.3  # of what a Gaussian shows now, that a view must have shown before
MOST_CHANGED = 0.009  # of the Gaussians of other objects


def laid_bare(before: AnchorField, after: AnchorField, sights: Sequence[Sight], around: Surroundings) -> Float[Tensor, " n"]:
    """How much of each Gaussian of `before` a removal shows that no view ever saw, pixels; 0 where that is little.

    A Gaussian's rendering weight is summed over the pixels of a view, once over those that show other things than what is
    removed, before, and once over those that showed it, afterwards; the largest sums over the views are compared.
    """
    count = before.positions.shape[0] * before.offsets.shape[1]
    known, bare = torch.zeros(2, count + after.positions.shape[0] * after.offsets.shape[1]).to(before.positions)
    then, now = shapes_of(before), shapes_of(after)
    for sight in sights:
        for shapes, most, counted in ((then, known, ~sight.gone), (now, bare, sight.gone)):
            lifted = around.rasterizer.lift(shapes(sight.camera), sight.camera, counted.long() - 1)
            most[lifted.gaussian] = torch.maximum(most[lifted.gaussian], lifted.weight.to(most))
    known, bare = known[:count], bare[:count]
    return torch.where((bare > _LEAST_BARE) & (known < _KNOWN * bare), bare, 0.0)
