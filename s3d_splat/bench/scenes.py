"""The fixed scene on which rasterizers are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.bench.options import RasterBench
from s3d_splat.raster.base import BLUR
from s3d_splat.types import Camera, Gaussians


@dataclass(frozen=True)
class ScreenScene:
    """Gaussians on the screen, and the same as thin discs in front of a camera, which project to them."""

    means2d: Float[Tensor, "n 2"]  # pixels
    conics: Float[Tensor, "n 3"]  # per square pixel, the blur inside
    opacities: Float[Tensor, " n"]
    values: Float[Tensor, "n c"]
    depths: Float[Tensor, " n"]  # metres
    gaussians: Gaussians  # the values are three colours and, beyond them, features; missing colours are 0
    camera: Camera


def screen_scene(options: RasterBench) -> ScreenScene:
    """Means uniform over the image, axes of exp(N(ln 3, 0.5)) px, random rotation, 0.3 px^2 of blur, opacity U(.05, .95).

    Depths are uniform in 1..10 m. At 640 x 480 pixels with 100,000 Gaussians about 69 of them contribute to a pixel.
    """
    generator = torch.Generator().manual_seed(options.seed)
    n, size = options.gaussians, torch.tensor([options.width, options.height])
    means = torch.rand(n, 2, generator=generator) * size
    log_sigmas = math.log(3) + 0.5 * torch.randn(n, 2, generator=generator)
    angle = math.pi * torch.rand(n, generator=generator)
    opacities = 0.05 + 0.9 * torch.rand(n, generator=generator)
    depths = 1 + 9 * torch.rand(n, generator=generator)
    values = torch.rand(n, options.channels, generator=generator)
    focal = float(options.width)
    camera = Camera(torch.eye(4), focal, focal, options.width / 2, options.height / 2, options.width, options.height)
    discs = _discs(means, log_sigmas, angle, depths, camera)
    colours = torch.nn.functional.pad(values[:, :3], (0, max(0, 3 - options.channels)))
    features = values[:, 3:].contiguous() if options.channels > 3 else None
    gaussians = Gaussians(*discs, opacities, colours, features)
    return ScreenScene(means, _conics(log_sigmas, angle), opacities, values, depths, gaussians, camera)


def _conics(log_sigmas: Float[Tensor, "n 2"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n 3"]:
    first, second = torch.exp(2 * log_sigmas).unbind(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    a = cos**2 * first + sin**2 * second + BLUR
    b = cos * sin * (first - second)
    c = sin**2 * first + cos**2 * second + BLUR
    return torch.stack([c, -b, a], dim=-1) / (a * c - b * b)[:, None]


def _discs(
    means2d: Float[Tensor, "n 2"],
    log_sigmas: Float[Tensor, "n 2"],
    angle: Float[Tensor, " n"],
    depths: Float[Tensor, " n"],
    camera: Camera,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 4"]]:
    """Means, log scales and quaternions of discs parallel to the image: on those the projection is exact."""
    pixel = depths / camera.fx  # metres
    centre = torch.tensor([camera.cx, camera.cy])
    means = torch.cat([(means2d - centre) * pixel[:, None], depths[:, None]], dim=1)
    thin = torch.full_like(depths, math.log(1e-6))
    log_scales = torch.cat([log_sigmas + pixel.log()[:, None], thin[:, None]], dim=1)
    zero = torch.zeros_like(angle)
    return means, log_scales, torch.stack([torch.cos(angle / 2), zero, zero, torch.sin(angle / 2)], dim=1)
