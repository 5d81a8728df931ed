"""The CUDA rasterizer: gsplat (Ye et al., "gsplat: An Open-Source Library for Gaussian Splatting", 2024)."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.geometry.cameras import NEAR_PLANE
from s3d_splat.raster.base import BLUR, LOG_SCALE_MAX
from s3d_splat.types import Camera, Gaussians, LabelWeights, RenderOutput, ScreenStatistics

_CHANNELS_AT_ONCE = 32  # what gsplat composites in one pass


class GsplatRasterizer:
    """`Rasterizer` on CUDA; see `raster.base.Rasterizer` for the contract.

    gsplat draws a Gaussian in the tiles of its three-sigma square only, so that the faint rim of an opaque one (3 to 3.33
    sigma, alpha under 0.011) may be cut at tile borders. With detached features the view is rendered twice.
    """

    name = "gsplat"

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cuda")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Float[Tensor, "3"] | None = None,
        detach_feature_geometry: bool = False,
    ) -> RenderOutput:
        clean = _sane(gaussians)
        features = clean.features
        joint = features is not None and not detach_feature_geometry
        values = torch.cat([clean.colours, features], dim=1) if features is not None and joint else clean.colours
        images, alpha, meta = self._rasterize(clean, camera, values, "RGB+ED")
        feature_map = images[..., 3:-1] if joint else None
        if features is not None and not joint:
            feature_map = self._rasterize(_detached(clean), camera, features, "RGB")[0]
        colour = images[..., :3]
        if background is not None:
            colour = colour + (1 - alpha)[..., None] * background
        return RenderOutput(colour, alpha, images[..., -1], feature_map, _screen(meta, clean.means))

    @torch.no_grad()
    def vote(
        self, gaussians: Gaussians, camera: Camera, ids: Int[Tensor, " n"]
    ) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"]]:
        clean = _sane(gaussians)
        size = (camera.height, camera.width)
        best = clean.means.new_zeros(size)
        winner = ids.new_full(size, -1)
        known = torch.unique(ids[ids >= 0])
        for chunk in known.split(_CHANNELS_AT_ONCE):
            one_hot = (ids[:, None] == chunk).to(clean.means)
            weight, index = self._rasterize(clean, camera, one_hot, "RGB")[0].max(dim=-1)
            better = weight > best
            best, winner = torch.where(better, weight, best), torch.where(better, chunk[index], winner)
        return winner, best

    def lift(self, gaussians: Gaussians, camera: Camera, labels: Int[Tensor, "h w"]) -> LabelWeights:
        """As in the contract; the sums are gradients of rendered channels, whose order of addition CUDA leaves open."""
        found = list(self._lifted(_sane(gaussians), camera, labels))
        if not found:
            empty = torch.zeros(0, dtype=torch.int64, device=labels.device)
            return LabelWeights(empty, empty, gaussians.means.new_zeros(0))
        gaussian, label, weight = (torch.cat(parts) for parts in zip(*found, strict=True))
        by_label = torch.argsort(label, stable=True)
        order = by_label[torch.argsort(gaussian[by_label], stable=True)]
        return LabelWeights(gaussian[order], label[order], weight[order])

    def _lifted(self, gaussians: Gaussians, camera: Camera, labels: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        fixed = _detached(gaussians)
        for chunk in torch.unique(labels[labels >= 0]).to(torch.int64).split(_CHANNELS_AT_ONCE):
            with (
                torch.enable_grad()
            ):  # d(sum of a channel over some pixels) / d(the channel's value) = the weights on these pixels
                probe = gaussians.means.new_zeros(len(gaussians.means), len(chunk), requires_grad=True)
                image = self._rasterize(fixed, camera, probe, "RGB")[0]
                mask = (labels[..., None] == chunk).to(image)
                (sums,) = torch.autograd.grad((image * mask).sum(), probe)
            gaussian, column = torch.nonzero(sums > 0, as_tuple=True)
            yield gaussian, chunk[column], sums[gaussian, column]

    def _rasterize(
        self, gaussians: Gaussians, camera: Camera, values: Tensor, mode: str
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        from gsplat import rasterization

        pose = camera.T_world_camera.detach().to(gaussians.means)
        intrinsics = torch.tensor([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
        images, alphas, meta = rasterization(
            means=gaussians.means,
            quats=gaussians.quaternions,
            scales=gaussians.log_scales.exp(),
            opacities=gaussians.opacities,
            colors=values,
            viewmats=torch.linalg.inv(pose)[None],
            Ks=intrinsics.to(gaussians.means)[None],
            width=camera.width,
            height=camera.height,
            near_plane=NEAR_PLANE,
            eps2d=BLUR,
            packed=True,
            render_mode=mode,
            channel_chunk=_CHANNELS_AT_ONCE,
        )
        return images[0], alphas[0, ..., 0], meta


def _detached(gaussians: Gaussians) -> Gaussians:
    """Geometry and opacity without gradient."""
    return replace(
        gaussians,
        means=gaussians.means.detach(),
        log_scales=gaussians.log_scales.detach(),
        quaternions=gaussians.quaternions.detach(),
        opacities=gaussians.opacities.detach(),
    )


def _sane(gaussians: Gaussians) -> Gaussians:
    """Gaussians with a value that is not finite get harmless values and opacity 0, which gsplat does not draw."""
    columns = [gaussians.means, gaussians.log_scales, gaussians.quaternions, gaussians.opacities[:, None]]
    sane = torch.isfinite(torch.cat(columns, dim=1).detach()).all(dim=1)
    sane &= (gaussians.log_scales.detach() <= LOG_SCALE_MAX).all(dim=1) & (gaussians.quaternions.detach() != 0).any(dim=1)
    keep = sane[:, None]
    return replace(
        gaussians,
        means=torch.where(keep, gaussians.means, torch.zeros_like(gaussians.means)),
        log_scales=torch.where(keep, gaussians.log_scales, torch.zeros_like(gaussians.log_scales)),
        quaternions=torch.where(keep, gaussians.quaternions, torch.ones_like(gaussians.quaternions)),
        opacities=torch.where(sane, gaussians.opacities, torch.zeros_like(gaussians.opacities)),
    )


def _screen(meta: dict[str, Any], means: Float[Tensor, "n 3"]) -> ScreenStatistics:
    """Centres and radii of all Gaussians from those of the visible ones.

    gsplat composites from the packed centres, so the gradient arrives there; a hook carries it to the tensor returned.
    """
    index, packed = meta["gaussian_ids"], meta["means2d"]
    shown = meta["radii"].reshape(len(index), -1).amax(dim=1).to(means) if len(index) else means.new_zeros(0)
    radii = means.new_zeros(len(means)).index_copy(0, index, shown)
    means2d = means.new_zeros(len(means), 2).index_copy(0, index, packed)
    if packed.requires_grad:
        receiver = weakref.ref(means2d)

        def carry(gradient: Tensor) -> None:
            target = receiver()
            if target is not None and target.retains_grad:
                target.grad = torch.zeros_like(target).index_copy(0, index, gradient)

        packed.register_hook(carry)
    return ScreenStatistics(means2d, radii)
