"""Depth images made quieter, and the surface normals of their pixels."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_REACH = 2  # pixels to either side
_RANGE = 0.04  # depths that differ by a larger share are of another surface


def smooth_depth(depth: Float[Tensor, "h w"], confidence: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Every known depth as the mean of those around it that lie on its surface (5 x 5 pixels, within 4 %).

    The mean is that of inverse depths, weighted by confidence: inverse depth is linear across the image of a plane, so that
    planes stay where they are. Source: C. Tomasi and R. Manduchi, "Bilateral filtering for gray and color images", ICCV
    1998, with a box for both kernels.
    """
    inverse = torch.where(depth > 0, 1 / depth.clamp(min=1e-9), 0.0)
    weight = torch.where(depth > 0, confidence.clamp(min=1e-6), 0.0)
    total, sums = torch.zeros_like(depth), torch.zeros_like(depth)
    around = torch.nn.functional.pad(torch.stack([inverse, weight]), [_REACH] * 4)
    height, width = depth.shape
    for row in range(2 * _REACH + 1):
        for column in range(2 * _REACH + 1):
            other, trust = around[:, row : row + height, column : column + width]
            same = trust * ((other - inverse).abs() <= _RANGE * inverse)
            total += same
            sums += same * other
    return torch.where(depth > 0, total / sums.clamp(min=1e-12), 0.0)


def surface_normals(points: Float[Tensor, "h w 3"], depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    """Unit normals of the surface through the points of a depth image, facing the camera.

    Args:
        points: where the pixels' surfaces are, in axes of any orientation with the handedness of the camera's.
        depth: of the same pixels, 0 = none.

    Returns:
        In the axes of the points; 0 at the border, and where the depths two pixels away on both sides are missing or of
        another surface.
    """
    across, known_across = _difference(points, depth, 1)
    down, known_down = _difference(points, depth, 0)
    normals = torch.linalg.cross(down, across)  # x right, y down, z forward: y cross x looks back at the camera
    length = normals.norm(dim=-1, keepdim=True)
    known = (known_across & known_down)[..., None] & (length > 0)
    return torch.where(known, normals / length.clamp(min=1e-20), 0.0)


def _difference(
    points: Float[Tensor, "h w 3"], depth: Float[Tensor, "h w"], axis: int
) -> tuple[Float[Tensor, "h w 3"], Bool[Tensor, "h w"]]:
    """From the point two pixels before to the one two pixels behind, and where it is known.

    A pixel on one side that has no depth, or that of another surface, is replaced by the pixel in the middle.
    """
    ends, found = [], torch.zeros_like(depth, dtype=torch.bool)
    inside = torch.zeros_like(found)
    inside[_REACH:-_REACH, _REACH:-_REACH] = True
    for shift in (_REACH, -_REACH):
        other = torch.roll(depth, shift, axis)
        same = inside & (depth > 0) & (other > 0) & ((other - depth).abs() <= 2 * _RANGE * depth)
        ends.append(torch.where(same[..., None], torch.roll(points, shift, axis), points))
        found = found | same
    before, behind = ends
    return behind - before, found
