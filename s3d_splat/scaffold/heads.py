"""The small networks that turn an anchor's embedding into what its children look like."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s3d_splat.scaffold.options import ScaffoldOptions


@dataclass(frozen=True)
class Looks:
    """What the heads add to the children's bases."""

    opacity: Float[Tensor, "a k"]
    log_scales: Float[Tensor, "a k 3"]
    quaternions: Float[Tensor, "a k 4"]
    colour: Float[Tensor, "a k 3"]


class Heads(nn.Module):
    """Three networks with one hidden layer each: opacity, shape and colour (InstanceGaussian, supplement; Scaffold-GS)."""

    def __init__(self, options: ScaffoldOptions, generator: torch.Generator) -> None:
        super().__init__()
        self.children_per_anchor = options.children
        self.view_dependent_opacity = options.view_dependent_opacity
        seen = options.embedding + 3 * options.view_dependent_opacity
        self.opacity = _network(seen, options.hidden, options.children, generator)
        self.shape = _network(options.embedding, options.hidden, options.children * 7, generator)
        self.colour = _network(options.embedding + 3 + options.appearance, options.hidden, options.children * 3, generator)

    def forward(
        self, embedding: Float[Tensor, "a e"], directions: Float[Tensor, "a 3"], appearance: Float[Tensor, " c"]
    ) -> Looks:
        """`directions`: unit vectors from the camera to each anchor, in the world; `appearance`: one code for the image."""
        count = embedding.shape[0]
        seen = torch.cat([embedding, directions], -1)
        shape = self.shape(embedding).view(count, self.children_per_anchor, 7)
        opacity = self.opacity(seen if self.view_dependent_opacity else embedding)
        colour = self.colour(torch.cat([seen, appearance.expand(count, -1)], -1))
        return Looks(
            opacity=opacity,
            log_scales=shape[..., :3],
            quaternions=shape[..., 3:],
            colour=colour.view(count, self.children_per_anchor, 3),
        )


def _network(inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """Linear, ReLU, Linear; the first layer as He et al. (2015), the last at zero so that training starts from the bases."""
    first, last = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
    with torch.no_grad():
        first.weight.normal_(0.0, (2.0 / inputs) ** 0.5, generator=generator)
        first.bias.zero_()
        last.weight.zero_()
        last.bias.zero_()
    return nn.Sequential(first, nn.ReLU(), last)
