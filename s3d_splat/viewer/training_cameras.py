"""The training cameras in a browser, with what they saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch.nn.functional import interpolate

from s3d_splat.geometry.rotations import quaternions_from_matrices
from s3d_splat.io.observations import load_observation
from s3d_splat.types import Frame
from s3d_splat.viewer.cameras import StartView, vertical_fov
from s3d_splat.viewer.session import Session

_SMALL = 96  # pixels; the width of a thumbnail
_SCALE = 0.012  # of the scene's extent; a frustum's depth
_NEAR = 0.03  # of the scene's extent; a frustum nearer than this to who looks would be in the way


class TrainingCameras:
    """A frustum for every few training views; a click on one moves the browser's camera there."""

    def __init__(self, session: Session, most: int) -> None:
        """`most` of them are shown, spread over all."""
        self._session, self._most = session, most
        self._handles: list[tuple[Any, Float[np.ndarray, "3"]]] = []  # and where each camera stands
        self._shown = False
        session.on_rest(self._make_way)

    def show(self, shown: bool) -> None:
        """Show them, or take them away."""
        self._shown = shown
        if shown and not self._handles:
            frames = [frame for frame in self._session.document.run.scene.frames if frame.split == "train"]
            step = -(-len(frames) // max(self._most, 1)) if frames else 1
            for number, frame in enumerate(frames[::step]):
                self._add(number, frame)
        self._make_way()

    def _add(self, number: int, frame: Frame) -> None:
        camera = frame.camera
        handle = self._session.client.scene.add_camera_frustum(
            f"/training/{number}",
            fov=vertical_fov(camera),
            aspect=camera.width / camera.height,
            scale=_SCALE * self._session.document.scene.extent,
            color=(255, 170, 60),
            image=_thumbnail(frame),
            wxyz=quaternions_from_matrices(camera.T_world_camera[:3, :3]).numpy(),
            position=camera.T_world_camera[:3, 3].numpy(),
        )
        handle.on_click(lambda _: self._session.look_from(view_of(frame)))
        self._handles.append((handle, camera.T_world_camera[:3, 3].numpy()))

    def _make_way(self) -> None:
        """Show all but those that the browser's camera stands in."""
        here, near = np.array(self._session.camera().position), _NEAR * self._session.document.scene.extent
        for handle, position in self._handles:
            visible = self._shown and bool(np.linalg.norm(position - here) > near)
            if handle.visible != visible:
                handle.visible = visible


def view_of(frame: Frame, ahead: float = 1.0) -> StartView:
    """Where a frame was taken from, turning about a point `ahead` metres in front of it."""
    camera = frame.camera
    pose = camera.T_world_camera.double()
    px, py, pz = pose[:3, 3].tolist()
    lx, ly, lz = (pose[:3, 3] + ahead * pose[:3, 2]).tolist()
    ux, uy, uz = (-pose[:3, 1]).tolist()
    return StartView((px, py, pz), (lx, ly, lz), (ux, uy, uz), vertical_fov(camera))


def _thumbnail(frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
    image = load_observation(frame).image
    height = max(1, round(_SMALL * image.shape[0] / image.shape[1]))
    small = interpolate(image.permute(2, 0, 1)[None].float(), (height, _SMALL), mode="area")[0]
    return small.round().byte().permute(1, 2, 0).contiguous().numpy()
