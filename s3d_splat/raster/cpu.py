"""The rasterizer for machines without a GPU: our compiled kernels behind two autograd functions."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.native.raster import Bins, Channels, View, project, project_backward
from s3d_splat.types import Camera, Gaussians, LabelWeights, RenderOutput, ScreenStatistics


class CpuRasterizer:
    """`Rasterizer` on the CPU; see `raster.base.Rasterizer` for the contract."""

    name = "cpu"
    device = torch.device("cpu")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Float[Tensor, "3"] | None = None,
        detach_feature_geometry: bool = False,
    ) -> RenderOutput:
        means2d, conics, depths, radii = project_gaussians(gaussians, camera)
        colour, alpha, depth, features = _Composite.apply(
            means2d,
            conics,
            gaussians.opacities,
            gaussians.colours,
            depths,
            gaussians.features,
            background,
            (camera.width, camera.height),
            detach_feature_geometry,
        )
        return RenderOutput(colour, alpha, depth, features, ScreenStatistics(means2d, radii))

    @torch.no_grad()
    def vote(
        self, gaussians: Gaussians, camera: Camera, ids: Int[Tensor, " n"]
    ) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"]]:
        winner, weight = _bins(gaussians, camera).vote(ids.to(torch.int64).contiguous())
        return winner.to(ids.dtype), weight

    @torch.no_grad()
    def lift(self, gaussians: Gaussians, camera: Camera, labels: Int[Tensor, "h w"]) -> LabelWeights:
        return LabelWeights(*_bins(gaussians, camera).lift(labels.to(torch.int64).contiguous()))


def rasterize_2d(
    means2d: Float[Tensor, "n 2"],
    conics: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    features: Float[Tensor, "n c"],
    depths: Float[Tensor, " n"],
    width: int,
    height: int,
) -> tuple[Float[Tensor, "h w c"], Float[Tensor, "h w"]]:
    """Composites Gaussians that are already on the screen; differentiable in all but the depths, which only sort.

    Args:
        means2d: pixels; pixel centres at +0.5.
        conics: a, b, c of q = (a dx^2 + c dy^2) / 2 + b dx dy, per square pixel, with any blur already inside.

    Returns:
        The image over black, and alpha.

    Raises:
        ValueError, TypeError: shapes or number types that do not fit together.
    """
    image, alpha, _, _ = _Composite.apply(
        means2d, conics, opacities, features, depths.detach(), None, None, (width, height), False, False
    )
    return image, alpha


def view_of(camera: Camera) -> View:
    """The camera as the kernels take it."""
    pose = camera.T_world_camera.detach().to("cpu", torch.float64)
    rotation = pose[:3, :3].T
    intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy], dtype=torch.float64)
    parameters = torch.cat([rotation.reshape(9), -(rotation @ pose[:3, 3]), intrinsics])
    return View(parameters, camera.width, camera.height)


def project_gaussians(
    gaussians: Gaussians, camera: Camera
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 3"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Centres (pixels), conics, depths (metres) and radii (pixels, 0 = culled); differentiable, but for the radii."""
    return _Project.apply(
        gaussians.means, gaussians.log_scales, gaussians.quaternions, gaussians.opacities.detach(), view_of(camera)
    )


def _bins(gaussians: Gaussians, camera: Camera) -> Bins:
    means2d, conics, depths, _ = project_gaussians(gaussians, camera)
    return Bins(means2d, conics, gaussians.opacities.contiguous(), depths, camera.width, camera.height)


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, means: Tensor, log_scales: Tensor, quaternions: Tensor, opacities: Tensor, view: View
    ) -> tuple[Tensor, ...]:
        means, log_scales, quaternions = means.contiguous(), log_scales.contiguous(), quaternions.contiguous()
        out = project(means, log_scales, quaternions, opacities.contiguous(), view)
        ctx.save_for_backward(means, log_scales, quaternions, out.radii)
        ctx.view = view
        ctx.mark_non_differentiable(out.radii)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, d_means2d: Tensor, d_conics: Tensor, d_depths: Tensor, _radii: Tensor) -> tuple[Any, ...]:
        means, log_scales, quaternions, radii = ctx.saved_tensors
        incoming = (d_means2d.contiguous(), d_conics.contiguous(), d_depths.contiguous())
        return *project_backward(means, log_scales, quaternions, radii, ctx.view, incoming), None, None


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means2d: Tensor,
        conics: Tensor,
        opacities: Tensor,
        colours: Tensor,
        depths: Tensor,
        features: Tensor | None,
        background: Tensor | None,
        size: tuple[int, int],
        detached_features: bool,
        with_depth: bool = True,
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        bins = Bins(means2d.contiguous(), conics.contiguous(), opacities.contiguous(), depths.contiguous(), *size)
        channels = Channels(
            colours.contiguous(),
            depths.contiguous() if with_depth else None,
            None if features is None else features.contiguous(),
        )
        images, alpha = bins.render(channels, None if background is None else background.detach().contiguous())
        ctx.bins, ctx.detached_features = bins, detached_features
        ctx.save_for_backward(*channels, *images, alpha)
        return images.colours, alpha, images.depths, images.features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        d_colour, d_alpha, d_depth, d_features = (None if g is None else g.contiguous() for g in gradients)
        saved = ctx.saved_tensors
        channels, images, alpha = Channels(*saved[:3]), Channels(*saved[3:6]), saved[6]
        geometry, d_channels = ctx.bins.gradients(
            channels, images, alpha, Channels(d_colour, d_depth, d_features), d_alpha, ctx.detached_features
        )
        d_background = None
        if ctx.needs_input_grad[6] and d_colour is not None:
            d_background = ((1 - alpha)[..., None] * d_colour).sum((0, 1))
        d_colours, d_depths, d_feature_values = d_channels
        return *geometry, d_colours, d_depths, d_feature_values, d_background, None, None, None
