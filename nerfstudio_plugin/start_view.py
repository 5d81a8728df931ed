"""Where nerfstudio's viewer opens: at a camera of the scene, with the scene's own upright direction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import viser
import viser.transforms
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO, Viewer
from nerfstudio.viewer.viewer_elements import ViewerControl

from s3d_splat.types import Camera

_STEP = 0.05  # metres ahead of the camera, past the picture that the viewer draws in front of it


class StartView(ViewerControl):
    """Without it the viewer opens 0.5 m from the world's origin, which means nothing where lengths are metres."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        """The viewer opens at the first of `cameras`; up is where they are upright on average, unless that cancels out."""
        self.pose = cameras[0].T_world_camera.double().cpu()
        self.up = -torch.stack([camera.T_world_camera[:3, 1].double().cpu() for camera in cameras]).mean(0)

    def _setup(self, viewer: Viewer) -> None:
        super()._setup(viewer)
        if float(self.up.norm()) > 0:
            viewer.viser_server.scene.set_up_direction(tuple((self.up / self.up.norm()).tolist()))
        viewer.viser_server.on_client_connect(self.place)

    def place(self, client: viser.ClientHandle) -> None:
        """Move a browser's camera there."""
        with client.atomic():
            position = self.pose[:3, 3] + _STEP * self.pose[:3, 2]
            client.camera.position = (position * VISER_NERFSTUDIO_SCALE_RATIO).numpy()
            client.camera.wxyz = viser.transforms.SO3.from_matrix(self.pose[:3, :3].numpy()).wxyz
