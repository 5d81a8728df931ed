"""Which object each pixel of a view shows."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import Camera, Gaussians, InstanceSet, PanopticImage


def render_panoptic(
    gaussians: Gaussians,
    child_instance: Int[Tensor, " n"],
    instances: InstanceSet,
    rasterizer: Rasterizer,
    camera: Camera,
    min_alpha: float = 0.5,
) -> PanopticImage:
    """Per pixel the instance with the largest accumulated rendering weight, its class, and its share of all weight.

    `child_instance` is the instance of each Gaussian. Those without one (0) compete together, so that an unlabelled surface
    stays void instead of taking the label of what shimmers through. A pixel is void, too, where alpha is under `min_alpha`.
    """
    ids = child_instance.to(gaussians.means.device)
    winner, weight = rasterizer.vote(gaussians, camera, ids)
    alpha = rasterizer.vote(gaussians, camera, torch.zeros_like(ids))[1]
    shown = torch.where((winner > 0) & (alpha >= min_alpha), winner, 0)
    classes = torch.zeros(int(ids.max()) + 1 if len(ids) else 1, dtype=torch.int32, device=ids.device)
    known = instances.instance_id < len(classes)
    classes[instances.instance_id[known].long().to(ids.device)] = instances.class_id[known].int().to(ids.device)
    return PanopticImage(
        instances=shown.int(),
        semantics=classes[shown.long()],
        confidence=torch.where(shown > 0, weight / alpha.clamp(min=1e-8), 0.0).clamp(max=1.0),
    )
