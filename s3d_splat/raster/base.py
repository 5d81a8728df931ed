"""The seam between the method and whatever renders Gaussians."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.types import Camera, Gaussians, LabelWeights, RenderOutput

BLUR = 0.3
"""Square pixels, added to the covariance on the screen."""
ALPHA_MAX = 0.999
ALPHA_MIN = 1.0 / 255.0
"""A Gaussian is skipped in the pixels where its alpha is below."""
TRANSMITTANCE_MIN = 1e-4
"""A pixel stops before the Gaussian that would bring its transmittance to this or below."""
LOG_SCALE_MAX = 10.0
"""Gaussians with an axis of more than exp(10) metres are not drawn: their covariance would leave float32."""
SLOPE_MARGIN = 0.15
"""The Jacobian of the projection is evaluated at most this part of the image size outside the image."""


@runtime_checkable
class Rasterizer(Protocol):
    """Renders Gaussians from a camera. No gradient flows to the camera.

    Compositing is the same in every variant (gsplat's rules): with q half the squared Mahalanobis distance, alpha =
    min(0.999, opacity exp(-q)); pairs below 1/255 are skipped; front to back by depth, ties by index; a pixel stops before
    the pair that would bring its transmittance to 1e-4 or below. A Gaussian whose geometry or opacity is not finite, or
    that is larger than 22 km, is not drawn.
    """

    name: str
    device: torch.device

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Float[Tensor, "3"] | None = None,
        detach_feature_geometry: bool = False,
    ) -> RenderOutput:
        """Colour, alpha, expected depth and features of a view, differentiable.

        The background (None = black) is added as T_final * background. With `detach_feature_geometry` the gradient of the
        feature map reaches `gaussians.features` only, not means, scales, quaternions and opacities. `screen.means2d`
        supports `retain_grad()`.
        """

    def vote(
        self, gaussians: Gaussians, camera: Camera, ids: Int[Tensor, " n"]
    ) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"]]:
        """Per pixel the id (0 and upwards) with the largest sum of rendering weights, and that sum.

        Gaussians with a negative id hide what is behind them but do not vote. Ties go to the lowest id; -1 and 0 where no
        Gaussian votes. Without gradient.
        """

    def lift(self, gaussians: Gaussians, camera: Camera, labels: Int[Tensor, "h w"]) -> LabelWeights:
        """Per Gaussian and label, the sum of its rendering weights over the pixels with that label.

        Pixels with a negative label are left out, and so are pairs whose sum is 0. Without gradient, deterministic.
        """
