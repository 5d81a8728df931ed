"""One browser: its camera, its choices and its pictures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from s3d_splat.viewer.cameras import BrowserCamera, StartView, rendering_camera
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.picking import object_at
from s3d_splat.viewer.pictures import Picture, take_picture
from s3d_splat.viewer.renderer import LatestOnly
from s3d_splat.viewer.splats import BrowserSplats
from s3d_splat.viewer.state import NEEDS_OBJECTS, ViewState
from s3d_splat.viewer.viser_api import browser_camera, look_from, on_click, show_background

if TYPE_CHECKING:
    from viser import CameraHandle, ClientHandle

log = logging.getLogger("s3d_splat")

_SETTLES = 0.2  # seconds without movement after which the camera is still
_COARSEST = 0.25  # of the still picture's height, while the camera moves
_BLACK = np.zeros((2, 2, 3), dtype=np.uint8)


@dataclass(frozen=True)
class PictureRequest:
    """A picture that a browser waits for."""

    session: Session
    moving: bool


class Session:
    """What belongs to one browser. Events change its state; every change asks for a picture."""

    def __init__(
        self, client: ClientHandle, document: Document, pictures: LatestOnly[PictureRequest], options: ViewOptions
    ) -> None:
        """Take over a browser that has just connected."""
        self.client, self.document = client, document
        self._pictures, self._options = pictures, options
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._scale = 0.5  # of the still picture's height, while the camera moves
        self._splats = BrowserSplats(client)
        self.state = ViewState(height=options.height)
        self.picture: Picture | None = None  # the last full one
        self.frames = 0  # pictures sent
        client.camera.on_update(self._moved)
        on_click(client, self.click)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called when the state or the scene has changed."""
        self._listeners.append(listener)

    def update(self, **changes: Any) -> None:
        """A new state, the old one with some fields replaced."""
        with self._lock:
            state = replace(self.state, **changes)
            if state == self.state:
                return
            self.state = state
        self.refresh()

    def refresh(self) -> None:
        """Show the panels and the picture anew, as after a change of the scene."""
        for listener in self._listeners:
            listener()
        self._pictures.ask(self.client.client_id, PictureRequest(self, moving=False))

    def look_from(self, view: StartView) -> None:
        """Move the camera."""
        look_from(self.client, view)

    def camera(self) -> BrowserCamera:
        """Where the browser looks from now."""
        return browser_camera(self.client.camera)

    def click(self, x: float, y: float) -> None:
        """Select what is seen at a place of the picture, given as shares of its width and height."""
        camera = rendering_camera(self.camera(), self.state.height)
        self.update(selected=object_at(self.picture, self.document.scene, self.state, camera, x, y))

    def render(self, moving: bool) -> None:
        """Make a picture and send it; called on the thread that renders."""
        start = time.perf_counter()
        scene, state = self.document.scene, self.state
        if self._splats.follow(scene, state, self.camera()):
            show_background(self.client, _BLACK, exact=True)
        scale = self._scale if moving else 1.0
        camera = rendering_camera(self.camera(), max(round(state.height * scale), 1))
        picture = take_picture(scene, state, camera, with_ids=not moving and scene.has_objects)
        if state.mode != "splats":
            show_background(self.client, picture.colour, exact=not moving)
        self.frames += 1
        if moving:
            self._adapt(time.perf_counter() - start)
            request = PictureRequest(self, moving=False)
            self._pictures.ask_unless_pending(self.client.client_id, request, _SETTLES)
        else:
            self.picture = picture

    def close(self) -> None:
        """The browser is gone."""
        self._pictures.forget(self.client.client_id)

    def available(self, mode: str) -> bool:
        """Whether the scene has what a mode shows."""
        scene = self.document.scene
        return scene.has_objects if mode in NEEDS_OBJECTS else mode != "features" or scene.basis is not None

    def _moved(self, _: CameraHandle) -> None:
        self._pictures.ask(self.client.client_id, PictureRequest(self, moving=True))

    def _adapt(self, seconds: float) -> None:
        """Fewer pixels where frames take too long, more where there is time; time grows with their number."""
        wanted = self._scale * (1 / (self._options.frames_per_second * max(seconds, 1e-4))) ** 0.5
        self._scale = min(max(0.5 * (self._scale + wanted), _COARSEST), 1.0)
