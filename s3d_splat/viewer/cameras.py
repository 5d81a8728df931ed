"""Cameras of browsers, of training views and of the crop under a click."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.geometry.paths import nearest_to_axes
from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.types import Camera, Scene

_NARROWEST, _WIDEST = 0.2, 5.0  # width over height; a window that is being resized may report anything


@dataclass(frozen=True)
class BrowserCamera:
    """Where a browser looks from: OpenCV axes, vertical field of view in radians, width over height."""

    wxyz: tuple[float, float, float, float]
    position: tuple[float, float, float]
    fov: float
    aspect: float


@dataclass(frozen=True)
class StartView:
    """Where browsers begin: at the first training camera, turning about what all of them look at."""

    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    up: tuple[float, float, float]
    fov: float  # vertical, radians


def rendering_camera(seen: BrowserCamera, height: int) -> Camera:
    """The camera that renders what a browser sees, `height` pixels high; square pixels, the axis through the middle."""
    aspect = min(max(seen.aspect, _NARROWEST), _WIDEST) if math.isfinite(seen.aspect) else 1.0
    width = max(1, round(height * aspect))
    focal = 0.5 * height / math.tan(0.5 * min(max(seen.fov, 0.05), 3.0))
    pose = torch.eye(4)
    pose[:3, :3] = rotation_matrices(torch.tensor(seen.wxyz, dtype=torch.float64)).float()
    pose[:3, 3] = torch.tensor(seen.position)
    return Camera(pose, fx=focal, fy=focal, cx=width / 2, cy=height / 2, width=width, height=height)


def pixel_camera(camera: Camera, x: float, y: float) -> Camera:
    """The camera of the one pixel at (x, y), which are shares 0..1 of width and height."""
    column = min(max(int(x * camera.width), 0), camera.width - 1)
    row = min(max(int(y * camera.height), 0), camera.height - 1)
    return replace(camera, cx=camera.cx - column, cy=camera.cy - row, width=1, height=1)


def vertical_fov(camera: Camera) -> float:
    """The angle from the upper to the lower edge of a picture, radians."""
    return math.atan(camera.cy / camera.fy) + math.atan((camera.height - camera.cy) / camera.fy)


def start_view(scene: Scene) -> StartView:
    """A first look at a scene."""
    cameras = [frame.camera for frame in scene.frames if frame.split == "train"] or [scene.frames[0].camera]
    poses = torch.stack([camera.T_world_camera for camera in cameras]).double().cpu()
    position, forward = poses[0, :3, 3], poses[0, :3, 2]
    focus = nearest_to_axes(poses[:, :3, 3], poses[:, :3, 2])
    distance = float((focus - position) @ forward)
    ahead = distance if distance > 0.1 else 1.0
    return StartView(
        position=_triple(position),
        look_at=_triple(position + ahead * forward),
        up=_triple(-poses[:, :3, 1].mean(0)),
        fov=vertical_fov(cameras[0]),
    )


def _triple(values: Float[Tensor, "3"]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
