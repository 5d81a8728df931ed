"""Instance features as colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

_DARKEST = 0.02  # share of the features that become black along a direction; as many become full colour
_SAMPLE = 1 << 20  # features that the range is taken from, about


@dataclass(frozen=True)
class FeatureBasis:
    """Three directions of the feature space and the values along them that become black and full colour."""

    mean: Float[Tensor, " c"]
    directions: Float[Tensor, "c 3"]
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]


def feature_basis(features: Float[Tensor, "n c"]) -> FeatureBasis:
    """The principal directions of the unit-length features of a scene, from strongest (red) to third (blue).

    Compute it once, from the anchors' features, so that all views of the scene have the same colours. Raises ValueError for
    fewer than two features or under three channels.
    """
    if len(features) < 2 or features.shape[1] < 3:
        raise ValueError(f"need at least 2 features of 3 channels, got {tuple(features.shape)}")
    unit = normalize(features.detach(), dim=1)
    mean = unit.mean(0)
    directions = torch.linalg.eigh((unit - mean).T @ (unit - mean))[1].flip(1)[:, :3]
    # An eigenvector has no sign of its own: its largest entry is made positive, so that a rerun has the same colours.
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0)
    along = (unit - mean) @ directions
    sample = along[:: len(along) // _SAMPLE + 1]
    low, high = torch.quantile(sample, _DARKEST, dim=0), torch.quantile(sample, 1 - _DARKEST, dim=0)
    return FeatureBasis(mean, directions, low, high)


def feature_picture(features: Float[Tensor, "h w c"], basis: FeatureBasis) -> Float[Tensor, "h w 3"]:
    """A rendered feature map (any length) as colours in 0..1; black where nothing was rendered."""
    empty = features.norm(dim=2, keepdim=True) < 1e-8
    along = (normalize(features.detach(), dim=2) - basis.mean) @ basis.directions
    colours = ((along - basis.low) / (basis.high - basis.low).clamp(min=1e-8)).clamp(0, 1)
    return torch.where(empty, 0.0, colours)
