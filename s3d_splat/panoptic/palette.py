"""Colours for objects: an id has the same colour in every view, picture and run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from s3d_splat.types import PanopticImage

_NONE = (56, 56, 60)  # instance 0
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # successive hues never come close to each other
_LIGHTNESS = (0.74, 0.58, 0.84, 0.66)  # four of them: the first 143 ids are well apart
_CHROMA = (0.15, 0.17, 0.10, 0.13)
_TINT = 0.7  # of an object's colour over the grey image
_BORDER = 0.25  # brightness left where two objects meet

# From OKLab to the cube roots of cone responses, and from those to linear sRGB (B. Ottosson, "A perceptual color space for
# image processing", 2020).
_CONES = ((1.0, 0.3963377774, 0.2158037573), (1.0, -0.1055613458, -0.0638541728), (1.0, -0.0894841775, -1.2914855480))
_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def instance_colours(ids: Int[Tensor, " n"]) -> UInt8[Tensor, "n 3"]:
    """A colour for each instance id, 0 dark grey; neighbouring ids differ in hue, lightness and strength."""
    number = ids.long()
    hue = number.double() * _GOLDEN_ANGLE
    lightness = ids.new_tensor(_LIGHTNESS, dtype=torch.float64)[number % len(_LIGHTNESS)]
    chroma = ids.new_tensor(_CHROMA, dtype=torch.float64)[number % len(_CHROMA)]
    lab = torch.stack((lightness, chroma * torch.cos(hue), chroma * torch.sin(hue)), dim=1)
    linear = ((lab @ lab.new_tensor(_CONES).T) ** 3 @ lab.new_tensor(_RGB).T).clamp(0, 1)
    encoded = torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055)
    colours = (encoded * 255).round().to(torch.uint8)
    return torch.where(number[:, None] == 0, colours.new_tensor(_NONE), colours)


def colourise(instances: Int[Tensor, "h w"]) -> UInt8[Tensor, "h w 3"]:
    """Each pixel in the colour of its instance."""
    present, index = torch.unique(instances, return_inverse=True)
    return instance_colours(present)[index]


def instance_picture(instances: Int[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    """`colourise`, in 0..1."""
    return colourise(instances).float() / 255


def panoptic_picture(panoptic: PanopticImage, colour: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w 3"]:
    """The view in 0..1, each object tinted in its colour and outlined; void is dark. `colour` is the rendered view, 0..1."""
    grey = colour.detach().clamp(0, 1).mean(dim=2, keepdim=True)
    flat = instance_picture(panoptic.instances).to(colour)
    tinted = _TINT * flat * (0.6 + 0.6 * grey) + (1 - _TINT) * grey
    shaded = torch.where((panoptic.instances == 0)[..., None], flat * (0.5 + grey), tinted)
    return torch.where(_borders(panoptic.instances)[..., None], shaded * _BORDER, shaded).clamp(0, 1)


def _borders(instances: Int[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Pixels whose right or lower neighbour shows something else."""
    border = torch.zeros_like(instances, dtype=torch.bool)
    border[:, :-1] |= instances[:, :-1] != instances[:, 1:]
    border[:-1] |= instances[:-1] != instances[1:]
    return border


def highlighted_picture(
    instances: Int[Tensor, "h w"], ids: Sequence[int], colour: Float[Tensor, "h w 3"]
) -> Float[Tensor, "h w 3"]:
    """The view in 0..1 with the chosen objects in their own colours and outlined in those of their ids, all else grey."""
    grey = colour.detach().clamp(0, 1).mean(dim=2, keepdim=True)
    chosen = torch.isin(instances, torch.tensor(list(ids), dtype=instances.dtype, device=instances.device))
    faded = (0.5 * grey + 0.2).expand(-1, -1, 3)
    shown = torch.where(chosen[..., None], colour.detach().clamp(0, 1), faded)
    kept = torch.where(chosen, instances, 0)
    rim = _thick(_borders(kept))
    nearest = torch.nn.functional.max_pool2d(kept[None, None].float(), 5, stride=1, padding=2)[0, 0].to(instances.dtype)
    return torch.where((rim & (nearest > 0))[..., None], instance_picture(nearest).to(colour), shown)


def _thick(edges: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    return torch.nn.functional.max_pool2d(edges[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0
