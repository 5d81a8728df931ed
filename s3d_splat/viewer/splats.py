"""Gaussians that the browser draws itself: no picture travels while the camera moves, but colours are those of one view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.viewer.cameras import BrowserCamera, rendering_camera
from s3d_splat.viewer.pictures import kept_gaussians
from s3d_splat.viewer.scene import ShownScene
from s3d_splat.viewer.state import ViewState
from s3d_splat.viewer.viser_api import show_splats

if TYPE_CHECKING:
    from viser import ClientHandle

_FAINT = 0.02  # Gaussians of less opacity are not sent
_LEAST_AXIS = 1e-3  # metres; browsers hold the root of the covariance in half precision


class BrowserSplats:
    """The Gaussians that a browser has been sent, as long as its mode is `splats`."""

    def __init__(self, client: ClientHandle) -> None:
        self._client = client
        self._sent: tuple[ShownScene, frozenset[int], frozenset[int]] | None = None
        self._take_away: Callable[[], None] | None = None

    def follow(self, scene: ShownScene, state: ViewState, seen: BrowserCamera) -> bool:
        """Send what a state shows, or take it away where the mode is another; True if Gaussians were sent now."""
        wanted = (scene, state.hidden, state.solo) if state.mode == "splats" else None
        same = wanted is self._sent is None or (
            wanted is not None and self._sent is not None and wanted[0] is self._sent[0] and wanted[1:] == self._sent[1:]
        )
        if same:
            return False
        if self._take_away is not None:
            self._take_away()
            self._take_away = None
        self._sent = wanted
        if wanted is not None:
            self._take_away = self._send(scene, state, seen)
        return wanted is not None

    @torch.no_grad()
    def _send(self, scene: ShownScene, state: ViewState, seen: BrowserCamera) -> Callable[[], None]:
        gaussians = scene.field.decode(rendering_camera(seen, state.height), with_features=False)
        child = scene.instances.child_instance.reshape(-1).to(gaussians.means.device)
        shown = gaussians.opacities >= _FAINT
        if state.hidden or state.solo:
            shown &= kept_gaussians(child, state)
        turn = rotation_matrices(torch.nn.functional.normalize(gaussians.quaternions[shown], dim=1))
        axes = turn * gaussians.log_scales[shown].exp().clamp(min=_LEAST_AXIS)[:, None]
        return show_splats(
            self._client,
            gaussians.means[shown].cpu().numpy(),
            (axes @ axes.mT).cpu().numpy(),
            gaussians.colours[shown].cpu().numpy(),
            gaussians.opacities[shown].cpu().numpy(),
        )
