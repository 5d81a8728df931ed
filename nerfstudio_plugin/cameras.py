"""Cameras between the two conventions: nerfstudio's axes are OpenGL's, ours OpenCV's; both put pixel centres at +0.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from nerfstudio.cameras.cameras import Cameras, CameraType

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opencv_from_opengl, opengl_from_opencv
from s3d_splat.types import Camera, Frame, Lens


def to_nerfstudio(cameras: Sequence[Camera]) -> Cameras:
    """Our cameras as one batch of nerfstudio's; the world stays the same: nothing is centred, turned or scaled.

    nerfstudio computes in float32, whatever the type of the poses.
    """
    poses = [opengl_from_opencv(camera.T_world_camera)[:3].float() for camera in cameras]
    return Cameras(
        camera_to_worlds=torch.stack(poses) if poses else torch.zeros(0, 3, 4),
        fx=_column([camera.fx for camera in cameras]),
        fy=_column([camera.fy for camera in cameras]),
        cx=_column([camera.cx for camera in cameras]),
        cy=_column([camera.cy for camera in cameras]),
        width=torch.tensor([camera.width for camera in cameras], dtype=torch.int64)[:, None],
        height=torch.tensor([camera.height for camera in cameras], dtype=torch.int64)[:, None],
        camera_type=CameraType.PERSPECTIVE,
    )


def stored_cameras(frames: Sequence[Frame]) -> Cameras:
    """The cameras of the images as they are stored, with their distortion (nerfstudio's order: k1 k2 k3 k4 p1 p2)."""
    lenses = [frame.lens for frame in frames]
    pairs = zip(frames, lenses, strict=True)
    cameras = [frame.camera if lens is None else _behind(lens, frame.camera) for frame, lens in pairs]
    batch = to_nerfstudio(cameras)
    if any(lens is not None for lens in lenses):
        batch.distortion_params = torch.tensor(
            [[0.0] * 6 if lens is None else [lens.k1, lens.k2, 0.0, 0.0, lens.p1, lens.p2] for lens in lenses]
        )
    return batch


def from_nerfstudio(cameras: Cameras) -> Camera:
    """The one camera that a batch of nerfstudio's holds, in its type and on its device.

    Raises:
        S3DError: it is no pinhole camera, or its images are distorted.
    """
    if cameras.size != 1:
        raise ValueError(f"one camera is wanted, there are {cameras.size}")
    camera = cameras.flatten()[0]
    kind = CameraType(int(camera.camera_type))
    distorted = camera.distortion_params is not None and bool(camera.distortion_params.any())
    if kind is not CameraType.PERSPECTIVE or distorted:
        raise S3DError(
            f"a {'distorted ' if distorted else ''}camera of kind {kind.name.lower()} cannot be rendered",
            why="splats are drawn by pinhole cameras without distortion",
            fix="choose the camera type Perspective, without distortion",
        )
    pose = torch.eye(4, dtype=camera.camera_to_worlds.dtype, device=camera.camera_to_worlds.device)
    pose = torch.cat([camera.camera_to_worlds, pose[3:]])
    return Camera(
        T_world_camera=opencv_from_opengl(pose),
        fx=float(camera.fx),
        fy=float(camera.fy),
        cx=float(camera.cx),
        cy=float(camera.cy),
        width=int(camera.width),
        height=int(camera.height),
    )


def _behind(lens: Lens, camera: Camera) -> Camera:
    return replace(camera, fx=lens.fx, fy=lens.fy, cx=lens.cx, cy=lens.cy)


def _column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]
