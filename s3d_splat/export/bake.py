"""Decoded Gaussians whose looks depend on the camera, baked to what ordinary splat viewers know: spherical harmonics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.harmonics import CONSTANT, colours_seen, harmonics
from s3d_splat.geometry.cameras import is_in_view
from s3d_splat.raster.base import ALPHA_MIN
from s3d_splat.types import Camera, Gaussians

_SMOOTHNESS = 1e-5  # what bending costs, relative to the weight of all views: see `_Sums.solved`
_LEAST = 1e-3  # weight of the mean colour beside that of the views; decides alone where no view shows a Gaussian
_ROWS = 1 << 14  # Gaussians that are solved for at a time


@dataclass(frozen=True)
class BakedGaussians:
    """Gaussians with the looks that a splat file holds."""

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quaternions: Float[Tensor, "n 4"]  # wxyz
    opacities: Float[Tensor, " n"]  # 0..1
    coefficients: Float[Tensor, "n b 3"]  # spherical harmonics, see `harmonics`

    def chosen(self, rows: Bool[Tensor, " n"]) -> BakedGaussians:
        """Only the Gaussians of these rows."""
        return BakedGaussians(*(value[rows] for value in vars(self).values()))

    def seen_from(self, camera: Camera) -> Gaussians:
        """What a viewer draws for a camera."""
        centre = camera.T_world_camera[:3, 3].to(self.means)
        colours = colours_seen(self.coefficients, self.means, centre)
        return Gaussians(self.means, self.log_scales, self.quaternions, self.opacities, colours)


def with_one_colour(gaussians: Gaussians, colours: Float[Tensor, "n 3"]) -> BakedGaussians:
    """Gaussians with a colour (0..1) that is the same from everywhere."""
    return BakedGaussians(
        gaussians.means,
        gaussians.log_scales,
        gaussians.quaternions,
        gaussians.opacities,
        ((colours - 0.5) / CONSTANT)[:, None],
    )


def drawn(gaussians: Gaussians | BakedGaussians) -> Bool[Tensor, " n"]:
    """Which Gaussians a rasterizer ever draws: the others are too faint everywhere (or were removed), or not finite."""
    shape = torch.cat((gaussians.means, gaussians.log_scales, gaussians.quaternions), dim=1)
    return (gaussians.opacities >= ALPHA_MIN) & torch.isfinite(shape).all(dim=1)


@torch.no_grad()
def bake(trained: TrainedScene, cameras: Sequence[Camera], degree: int, advance: Advance) -> BakedGaussians:
    """Fit harmonics of a degree to the colours that the cameras see, for each Gaussian by weighted least squares.

    A camera counts by the Gaussian's rendering weight in its image, so that what is hidden or outside says nothing. Bending
    is held small (see `_Sums.solved`), so that directions from which no camera looked stay near the mean colour. Normal
    equations are summed view by view: memory does not grow with the number of views. Opacity that depends on the view
    becomes its mean over the cameras in whose image the Gaussian lies.
    """
    gaussians = trained.decode(cameras[0])
    sums = _Sums(gaussians.means, degree)
    opacity = _MeanOpacity(gaussians)
    for done, camera in enumerate(cameras):
        seen = trained.decode(camera)
        lifted = trained.rasterizer.lift(
            seen, camera, torch.zeros(camera.height, camera.width, dtype=torch.int64).to(trained.rasterizer.device)
        )
        sums.add(seen, camera, lifted.gaussian, lifted.weight)
        if trained.view_dependent_opacity:
            opacity.add(seen, camera)
        advance(done + 1, len(cameras))
    return BakedGaussians(
        gaussians.means,
        gaussians.log_scales,
        gaussians.quaternions,
        opacity.mean() if trained.view_dependent_opacity else gaussians.opacities,
        sums.solved(),
    )


class _Sums:
    """Normal equations of all Gaussians: the upper triangle of sum(w Y Y^T), and sum(w Y (c - 1/2)^T)."""

    def __init__(self, means: Float[Tensor, "n 3"], degree: int) -> None:
        self.degree, self.means = degree, means
        self.size = (degree + 1) ** 2
        self.rows, self.columns = torch.triu_indices(self.size, self.size, device=means.device)
        self.triangle = means.new_zeros(len(means), len(self.rows))
        self.right = means.new_zeros(len(means), self.size, 3)
        self.colour, self.views = torch.zeros_like(means), 0

    def add(
        self, seen: Gaussians, camera: Camera, gaussian: Float[Tensor, " m"] | Tensor, weight: Float[Tensor, " m"]
    ) -> None:
        """A view: the Gaussians that it shows, and how much of each."""
        centre = camera.T_world_camera[:3, 3].to(self.means)
        basis = harmonics(normalize(self.means[gaussian] - centre, dim=-1), self.degree)
        weighted = basis * weight[:, None]
        self.triangle.index_add_(0, gaussian, weighted[:, self.rows] * basis[:, self.columns])
        self.right.index_add_(0, gaussian, weighted[:, :, None] * (seen.colours[gaussian] - 0.5)[:, None])
        self.colour += seen.colours
        self.views += 1

    def solved(self) -> Float[Tensor, "n b 3"]:
        """The coefficients c with the least sum of w (Y c + 1/2 - colour)^2 + W s (l (l + 1))^2 |c_l|^2.

        W is the sum of the weights: the second term is the energy of the Laplacian on the sphere, which holds down what
        bends, the more the higher its degree l. A little weight pulls the constant to the mean of all decoded colours.
        """
        degree = torch.arange(self.size, device=self.means.device).sqrt().floor().double()
        stiff = _SMOOTHNESS * (degree * (degree + 1)).square()
        found = []
        for start in range(0, len(self.means), _ROWS):
            part = slice(start, start + _ROWS)
            normal = self.means.new_zeros(len(self.means[part]), self.size, self.size, dtype=torch.float64)
            normal[:, self.rows, self.columns] = self.triangle[part].double()
            normal[:, self.columns, self.rows] = self.triangle[part].double()
            total = normal[:, 0, 0] / CONSTANT**2 + _LEAST
            normal += torch.diag_embed(total[:, None] * stiff)
            normal[:, 0, 0] += _LEAST
            right = self.right[part].double()
            right[:, 0] += _LEAST * (self.colour[part].double() / self.views - 0.5) / CONSTANT
            found.append(torch.linalg.solve(normal, right).to(self.means))
        return torch.cat(found) if found else self.right


class _MeanOpacity:
    """Of each Gaussian, over the cameras in whose image it lies; over all of them where it lies in none."""

    def __init__(self, gaussians: Gaussians) -> None:
        self.inside = torch.zeros_like(gaussians.opacities)
        self.inside_views, self.all = torch.zeros_like(self.inside), torch.zeros_like(self.inside)
        self.views = 0

    def add(self, seen: Gaussians, camera: Camera) -> None:
        """A view."""
        shown = is_in_view(seen.means.cpu(), camera).to(self.inside)
        self.inside += shown * seen.opacities
        self.inside_views += shown
        self.all += seen.opacities
        self.views += 1

    def mean(self) -> Float[Tensor, " n"]:
        """The means, 0..1."""
        return torch.where(self.inside_views > 0, self.inside / self.inside_views.clamp(min=1), self.all / self.views)
