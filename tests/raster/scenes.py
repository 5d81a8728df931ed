"""Seeded Gaussians that are hard on a rasterizer."""

from __future__ import annotations

import math
from dataclasses import fields

import torch

from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.raster.base import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from s3d_splat.raster.reference import project
from s3d_splat.types import Camera, Gaussians, RenderOutput


def looking_camera(width: int = 64, height: int = 48, *, seed: int = 0) -> Camera:
    """A camera somewhere, turned somehow, with a principal point off the centre."""
    generator = torch.Generator().manual_seed(seed)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotation_matrices(torch.randn(4, generator=generator, dtype=torch.float64))
    pose[:3, 3] = torch.randn(3, generator=generator, dtype=torch.float64)
    return Camera(pose, 0.9 * width, 0.95 * width, 0.47 * width, 0.52 * height, width, height)


def random_gaussians(
    count: int,
    camera: Camera,
    *,
    features: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    wild: bool = True,
) -> Gaussians:
    """Gaussians in, behind, across and outside the view; if `wild` with scales of 1 mm to 1 m and opacities 0 and 1."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    depth = 0.3 + 5 * uniform(count)
    if wild:
        depth[::7] = 0.02 * uniform(len(depth[::7])) - 0.5 * (uniform(len(depth[::7])) < 0.3)
    x = (uniform(count) * 1.6 - 0.3) * camera.width - camera.cx
    y = (uniform(count) * 1.6 - 0.3) * camera.height - camera.cy
    local = torch.stack([x / camera.fx * depth, y / camera.fy * depth, depth], dim=-1)
    pose = camera.T_world_camera.to(torch.float64)
    log_scales = math.log(0.05) + torch.randn(count, 3, generator=generator, dtype=torch.float64) * (0.7 if wild else 0.4)
    opacities = uniform(count) * (0.4 if wild else 1.0)
    if wild:
        log_scales[::37, 0] = math.log(1.0)
        log_scales[1::11, 1] = math.log(0.001)
        opacities[::13], opacities[1::41], opacities[2::13] = 0.0, 1.0, 0.003
    values = (
        local @ pose[:3, :3].T + pose[:3, 3],
        log_scales,
        torch.randn(count, 4, generator=generator, dtype=torch.float64),
        opacities,
        uniform(count, 3),
        None if features is None else torch.randn(count, features, generator=generator, dtype=torch.float64),
    )
    return Gaussians(*(None if v is None else v.to(dtype) for v in values))


def leaves(gaussians: Gaussians, dtype: torch.dtype | None = None) -> Gaussians:
    """Copies that collect gradients."""
    values = (getattr(gaussians, field.name) for field in fields(gaussians))
    return Gaussians(*(None if v is None else v.detach().to(dtype or v.dtype).clone().requires_grad_() for v in values))


def tensors(gaussians: Gaussians) -> dict[str, torch.Tensor]:
    """The fields that are there, by name."""
    return {f.name: getattr(gaussians, f.name) for f in fields(gaussians) if getattr(gaussians, f.name) is not None}


def random_loss(view: RenderOutput, *, seed: int = 0, where: torch.Tensor | None = None) -> torch.Tensor:
    """A weighted sum of everything that was rendered, `where` a mask allows it; the same weights for any number type."""
    generator = torch.Generator().manual_seed(seed)
    images = [t for t in (view.colour, view.alpha, view.depth, view.features) if t is not None]
    total = view.alpha.new_zeros(())
    for image in images:
        weights = torch.rand(image.shape, generator=generator, dtype=torch.float64) - 0.3
        if where is not None:
            weights = weights * (where if image.ndim == 2 else where[..., None])
        total = total + (image * weights.to(image)).sum()
    return total


def steady_pixels(gaussians: Gaussians, camera: Camera, *, margin: float = 1e-3) -> torch.Tensor:
    """Where no alpha or transmittance is so near a threshold of the compositing that rounding decides."""
    exact = Gaussians(**{name: value.detach().double() for name, value in tensors(gaussians).items()})
    means2d, conics, depths, radii = project(exact, camera)
    order = torch.argsort(torch.where(radii > 0, depths, torch.inf), stable=True)[: int((radii > 0).sum())]
    y, x = torch.meshgrid(torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij")
    dx, dy = x[..., None] - means2d[order, 0], y[..., None] - means2d[order, 1]
    a, b, c = conics[order].unbind(-1)
    alphas = exact.opacities[order] * torch.exp(-(a * dx * dx + c * dy * dy) / 2 - b * dx * dy)
    drawn = torch.where(alphas >= ALPHA_MIN, alphas.clamp(max=ALPHA_MAX), 0.0)
    left = torch.cumprod(1 - drawn, dim=-1)

    def near(value: torch.Tensor, threshold: float) -> torch.Tensor:
        return ((value / threshold - 1).abs() < margin).any(dim=-1)

    return ~(near(alphas, ALPHA_MIN) | near(alphas, ALPHA_MAX) | near(left, TRANSMITTANCE_MIN))
