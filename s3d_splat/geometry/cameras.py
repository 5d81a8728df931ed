"""Pinhole cameras: axis conventions, projection, unprojection, viewing rays, the view frustum.

Axes are OpenCV's (x right, y down, z forward); pixel centres are at +0.5, so that the pixel in row i and column j is
centred at (j + 0.5, i + 0.5) and the image spans 0..width by 0..height.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s3d_splat.types import Camera

NEAR_PLANE = 0.01  # metres; the same in every rasterizer


def opencv_from_opengl(T_world_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Camera-to-world poses whose camera axes are OpenGL's (y up, z backward), with OpenCV's axes (y down, z forward)."""
    flip = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=T_world_camera.dtype, device=T_world_camera.device)
    return T_world_camera * flip


def opengl_from_opencv(T_world_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The inverse of `opencv_from_opengl` (turning two axes around is its own inverse)."""
    return opencv_from_opengl(T_world_camera)


def project(points: Float[Tensor, "n 3"], camera: Camera) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Where world points (metres) fall in the image.

    Returns:
        Pixel positions (x, y), and depths along the camera's z axis in metres. Pixels mean something only where the depth is
        positive; `is_in_view` says which do.
    """
    x, y, z = _in_camera(points, camera).unbind(-1)
    return torch.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], dim=-1), z


def is_in_view(
    points: Float[Tensor, "n 3"], camera: Camera, *, near: float = NEAR_PLANE, margin: float = 0.0
) -> Bool[Tensor, " n"]:
    """Which world points (metres) project into the image, or at most `margin` pixels outside it, beyond the near plane."""
    x, y, z = _in_camera(points, camera).unbind(-1)
    column, row = camera.fx * x, camera.fy * y  # compared after multiplying by z, so that nothing is divided by zero
    left, right = (-margin - camera.cx) * z, (camera.width + margin - camera.cx) * z
    top, bottom = (-margin - camera.cy) * z, (camera.height + margin - camera.cy) * z
    return (z > near) & (column >= left) & (column < right) & (row >= top) & (row < bottom)


def ray_directions(camera: Camera) -> Float[Tensor, "h w 3"]:
    """World directions through the pixel centres, as long as one metre of depth: centre + depth * direction is the point."""
    pose = camera.T_world_camera
    columns = (torch.arange(camera.width, dtype=pose.dtype, device=pose.device) + (0.5 - camera.cx)) / camera.fx
    rows = (torch.arange(camera.height, dtype=pose.dtype, device=pose.device) + (0.5 - camera.cy)) / camera.fy
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], dim=-1) @ pose[:3, :3].T


def unproject_depth(depth: Float[Tensor, "h w"], camera: Camera) -> Float[Tensor, "h w 3"]:
    """World points (metres) of a depth image (metres along z). A pixel without depth (0) gives the camera's centre."""
    return camera.T_world_camera[:3, 3] + depth[..., None] * ray_directions(camera)


def scaled(camera: Camera, factor: float) -> Camera:
    """The same view as an image `factor` times as large, rounded to whole pixels (at least one)."""
    width, height = max(1, round(camera.width * factor)), max(1, round(camera.height * factor))
    x_ratio, y_ratio = width / camera.width, height / camera.height
    return replace(
        camera,
        fx=camera.fx * x_ratio,
        fy=camera.fy * y_ratio,
        cx=camera.cx * x_ratio,
        cy=camera.cy * y_ratio,
        width=width,
        height=height,
    )


def _in_camera(points: Float[Tensor, "n 3"], camera: Camera) -> Float[Tensor, "n 3"]:
    rotation, centre = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    return (points - centre) @ rotation  # rows times R = R transposed times columns
