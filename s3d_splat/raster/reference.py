"""The rasterizer that says what the others must compute: plain torch, differentiable, any number type, slow."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.geometry.cameras import NEAR_PLANE
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.raster.base import ALPHA_MAX, ALPHA_MIN, BLUR, LOG_SCALE_MAX, SLOPE_MARGIN, TRANSMITTANCE_MIN
from s3d_splat.types import Camera, Gaussians, LabelWeights, RenderOutput, ScreenStatistics

_PAIRS_AT_ONCE = 1 << 22  # Gaussian-pixel pairs that are held in memory


class ReferenceRasterizer:
    """`Rasterizer` in plain torch; see `raster.base.Rasterizer` for the contract."""

    name = "reference"

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Float[Tensor, "3"] | None = None,
        detach_feature_geometry: bool = False,
    ) -> RenderOutput:
        means2d, conics, depths, radii = project(gaussians, camera)
        order = _front_to_back(depths, radii > 0)
        geometry = (means2d[order], conics[order], gaussians.opacities[order])
        values = torch.cat([gaussians.colours, depths[:, None]], dim=1)[order]
        features = None if gaussians.features is None else gaussians.features[order]
        seen, alphas, feature_maps = [], [], []
        for pixels in _pixel_chunks(camera, len(order), means2d):
            weights = rendering_weights(*geometry, pixels)
            seen.append(weights @ values)
            alphas.append(weights.sum(dim=1))
            if features is not None:
                feature_maps.append((weights.detach() if detach_feature_geometry else weights) @ features)
        size = (camera.height, camera.width)
        alpha = torch.cat(alphas).reshape(size)
        colour, depth = torch.cat(seen).reshape(*size, 4).split([3, 1], dim=-1)
        if background is not None:
            colour = colour + (1 - alpha)[..., None] * background
        hit = alpha > 0
        expected = torch.where(hit, depth[..., 0] / torch.where(hit, alpha, torch.ones_like(alpha)), torch.zeros_like(alpha))
        feature_map = None if features is None else torch.cat(feature_maps).reshape(*size, features.shape[1])
        return RenderOutput(colour, alpha, expected, feature_map, ScreenStatistics(means2d, radii))

    @torch.no_grad()
    def vote(
        self, gaussians: Gaussians, camera: Camera, ids: Int[Tensor, " n"]
    ) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"]]:
        known, column = torch.unique(ids, return_inverse=True)  # ascending, so that argmax settles ties for the lowest id
        best, winner = [], []
        for weights, order in self._weight_chunks(gaussians, camera):
            sums = weights.new_zeros(len(weights), len(known) + 1).index_add_(1, column[order], weights)[:, :-1]
            sums = torch.where(known < 0, -torch.ones_like(sums), sums)
            highest, index = torch.cat([sums.new_zeros(len(sums), 1), sums], dim=1).max(dim=1)
            hit = highest > 0
            best.append(highest)
            winner.append(torch.where(hit, torch.cat([known.new_full((1,), -1), known])[index], -1))
        size = (camera.height, camera.width)
        return torch.cat(winner).reshape(size).to(ids.dtype), torch.cat(best).reshape(size)

    @torch.no_grad()
    def lift(self, gaussians: Gaussians, camera: Camera, labels: Int[Tensor, "h w"]) -> LabelWeights:
        known, column = torch.unique(labels.to(torch.int64), return_inverse=True)
        sums = gaussians.means.new_zeros(len(gaussians.means), max(len(known), 1))
        start, flat = 0, column.reshape(-1)
        for weights, order in self._weight_chunks(gaussians, camera):
            chunk = torch.zeros_like(sums[: len(order)]).index_add_(1, flat[start : start + len(weights)], weights.T)
            sums.index_add_(0, order, chunk)
            start += len(weights)
        sums[:, known < 0] = 0
        gaussian, label = torch.nonzero(sums > 0, as_tuple=True)
        return LabelWeights(gaussian, known[label], sums[gaussian, label])

    def _weight_chunks(self, gaussians: Gaussians, camera: Camera) -> list[tuple[Tensor, Tensor]]:
        means2d, conics, depths, radii = project(gaussians, camera)
        order = _front_to_back(depths, radii > 0)
        geometry = (means2d[order], conics[order], gaussians.opacities[order])
        return [(rendering_weights(*geometry, p), order) for p in _pixel_chunks(camera, len(order), means2d)]


def project(
    gaussians: Gaussians, camera: Camera
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 3"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Centres (pixels), conics (with the blur), depths (metres) and radii (pixels, 0 = culled) on the screen.

    EWA splatting (Zwicker et al., 2001) in gsplat's conventions; culled Gaussians are zero everywhere and have no gradient.
    """
    sane = _is_drawable(gaussians)
    pose = camera.T_world_camera.detach().to(gaussians.means)
    rotation = pose[:3, :3].T
    safe_means = torch.where(sane[:, None], gaussians.means, pose[:3, 3] + pose[:3, 2])
    x, y, z = ((safe_means - pose[:3, 3]) @ rotation.T).unbind(-1)
    in_front = sane & (z >= NEAR_PLANE)
    z = torch.where(in_front, z, torch.ones_like(z))
    slope_x, slope_y = x / z, y / z
    means2d = torch.stack([camera.fx * slope_x + camera.cx, camera.fy * slope_y + camera.cy], dim=-1)

    scales = torch.where(in_front[:, None], gaussians.log_scales, torch.zeros_like(gaussians.log_scales)).exp()
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0]).to(gaussians.quaternions)
    quaternions = torch.where(in_front[:, None], gaussians.quaternions, identity)
    local = rotation @ rotation_matrices(quaternions)
    u = _held(slope_x, camera.width, camera.fx, camera.cx)
    v = _held(slope_y, camera.height, camera.fy, camera.cy)
    row_x = (camera.fx / z)[:, None] * (local[:, 0] - u[:, None] * local[:, 2])
    row_y = (camera.fy / z)[:, None] * (local[:, 1] - v[:, None] * local[:, 2])
    first, second = row_x * scales, row_y * scales
    a, b, c = (first * first).sum(1), (first * second).sum(1), (second * second).sum(1)
    # |r0 x r1|^2 + blur trace + blur^2 is the determinant (Cauchy-Binet) without a difference of large numbers.
    minors = torch.linalg.cross(row_x, row_y) * scales[:, [1, 2, 0]] * scales[:, [2, 0, 1]]
    determinant = minors.square().sum(1) + BLUR * (a + c) + BLUR**2
    a, c = a + BLUR, c + BLUR
    conics = torch.stack([c / determinant, -b / determinant, a / determinant], dim=-1)

    visible = in_front & torch.isfinite(determinant) & (gaussians.opacities >= ALPHA_MIN)
    visible = visible & _reaches_image(means2d, a, c, gaussians.opacities, camera)
    middle = (a + c) / 2
    radius = torch.ceil(3 * torch.sqrt(middle + torch.sqrt((middle * middle - determinant).clamp(min=0.01)))).detach()
    keep = visible[:, None]
    zero = torch.zeros_like(z)
    return (
        torch.where(keep, means2d, torch.zeros_like(means2d)),
        torch.where(keep, conics, torch.zeros_like(conics)),
        torch.where(visible, z, zero),
        torch.where(visible, radius, zero),
    )


def rendering_weights(
    means2d: Float[Tensor, "n 2"], conics: Float[Tensor, "n 3"], opacities: Float[Tensor, " n"], pixels: Float[Tensor, "p 2"]
) -> Float[Tensor, "p n"]:
    """The weight of every Gaussian, given front to back, in every pixel (centres in pixels)."""
    dx, dy = (pixels[:, None] - means2d[None]).unbind(-1)
    a, b, c = conics.unbind(-1)
    q = (a * dx * dx + c * dy * dy) / 2 + b * dx * dy
    alphas = (opacities * torch.exp(-q)).clamp(max=ALPHA_MAX)
    alphas = torch.where((alphas >= ALPHA_MIN) & (q >= 0), alphas, torch.zeros_like(alphas))
    behind = torch.cumprod(1 - alphas, dim=1)
    before = torch.cat([torch.ones_like(behind[:, :1]), behind[:, :-1]], dim=1)[:, : alphas.shape[1]]
    return torch.where(behind > TRANSMITTANCE_MIN, alphas * before, torch.zeros_like(alphas))


def _is_drawable(gaussians: Gaussians) -> Bool[Tensor, " n"]:
    columns = torch.cat(
        [gaussians.means, gaussians.log_scales, gaussians.quaternions, gaussians.opacities[:, None]], dim=1
    ).detach()
    drawable = (gaussians.log_scales.detach() <= LOG_SCALE_MAX).all(dim=1) & (gaussians.quaternions.detach() != 0).any(dim=1)
    return drawable & torch.isfinite(columns).all(dim=1)


def _held(slope: Float[Tensor, " n"], size: int, focal: float, principal: float) -> Float[Tensor, " n"]:
    margin = SLOPE_MARGIN * size / focal
    return slope.clamp(-principal / focal - margin, (size - principal) / focal + margin)


def _reaches_image(
    means2d: Float[Tensor, "n 2"],
    variance_x: Float[Tensor, " n"],
    variance_y: Float[Tensor, " n"],
    opacities: Float[Tensor, " n"],
    camera: Camera,
) -> Bool[Tensor, " n"]:
    twice_q = 2 * torch.log((opacities / ALPHA_MIN).clamp(min=1))
    reach_x, reach_y = torch.sqrt(twice_q * variance_x), torch.sqrt(twice_q * variance_y)
    x, y = means2d.unbind(-1)
    return (x + reach_x > 0) & (x - reach_x < camera.width) & (y + reach_y > 0) & (y - reach_y < camera.height)


def _front_to_back(depths: Float[Tensor, " n"], visible: Bool[Tensor, " n"]) -> Int[Tensor, " m"]:
    shown = torch.nonzero(visible)[:, 0]
    return shown[torch.argsort(depths[shown].detach(), stable=True)]


def _pixel_chunks(camera: Camera, gaussians: int, like: Tensor) -> list[Float[Tensor, "p 2"]]:
    columns = torch.arange(camera.width, dtype=like.dtype, device=like.device) + 0.5
    rows = torch.arange(camera.height, dtype=like.dtype, device=like.device) + 0.5
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).reshape(-1, 2)
    return list(pixels.split(max(1, math.floor(_PAIRS_AT_ONCE / max(gaussians, 1)))))
