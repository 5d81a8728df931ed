"""One browser: its camera, its choices and its pictures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from s3d_splat.types import Camera
from s3d_splat.viewer.cameras import BrowserCamera, StartView, rendering_camera
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.picking import object_at, same_view
from s3d_splat.viewer.pictures import Picture, take_picture
from s3d_splat.viewer.renderer import LatestOnly
from s3d_splat.viewer.scene import ShownScene
from s3d_splat.viewer.splats import BrowserSplats
from s3d_splat.viewer.state import NEEDS_OBJECTS, ViewState
from s3d_splat.viewer.viser_api import browser_camera, look_from, on_click, show_background

if TYPE_CHECKING:
    from viser import CameraHandle, ClientHandle

log = logging.getLogger("s3d_splat")

_SETTLES = 0.2  # seconds without movement after which the camera is still
_COARSEST = 0.25  # of the still picture's height, while the camera moves
_BLACK = np.zeros((2, 2, 3), dtype=np.uint8)


Urgency = Literal["moving", "changed", "exact"]
"""Coarse while the camera moves; in full, but packed quickly, after a change; then with every bit."""


@dataclass(frozen=True)
class PictureRequest:
    """A picture that a browser waits for."""

    session: Session
    urgency: Urgency


@dataclass(frozen=True)
class _Taken:
    """A full picture and what it was taken of."""

    scene: ShownScene
    state: ViewState
    picture: Picture


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
        self._resting: list[Callable[[], None]] = []
        self._scale = 0.5  # of the still picture's height, while the camera moves
        self._splats = BrowserSplats(client)
        self.state = ViewState(height=options.height)
        self._last: _Taken | None = None
        self.frames = 0  # pictures sent
        self.sent_height = 0  # rows of the last one
        client.camera.on_update(self._moved)
        on_click(client, self.click)

    @property
    def picture(self) -> Picture | None:
        """The last full one."""
        return None if self._last is None else self._last.picture

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called when the state or the scene has changed."""
        self._listeners.append(listener)

    def on_rest(self, listener: Callable[[], None]) -> None:
        """Have a function called when the camera has come to rest."""
        self._resting.append(listener)

    def update(self, **changes: Any) -> None:
        """A new state, the old one with some fields replaced."""
        with self._lock:
            state = replace(self.state, **changes)
            if state == self.state:
                return
            self.state = state
        self.refresh()

    def refresh(self) -> None:
        """Show the picture and the panels anew, as after a change of the scene."""
        self._ask("changed")
        for listener in self._listeners:
            listener()

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

    def render(self, urgency: Urgency) -> None:
        """Make a picture and send it; called on the thread that renders."""
        start = time.perf_counter()
        scene, state = self.document.scene, self.state
        if self._splats.follow(scene, state, self.camera()):
            show_background(self.client, _BLACK, exact=True)
        picture = self._coarse(scene, state) if urgency == "moving" else self._full(scene, state)
        if state.mode != "splats":
            show_background(self.client, picture.colour, exact=urgency == "exact")
        self.frames, self.sent_height = self.frames + 1, picture.camera.height
        if urgency == "moving":
            self._adapt(time.perf_counter() - start)
        if urgency == "exact":
            for listener in self._resting:
                listener()
        else:
            request = PictureRequest(self, "exact")
            self._pictures.ask_unless_pending(self.client.client_id, request, _SETTLES)

    def close(self) -> None:
        """The browser is gone."""
        self._pictures.forget(self.client.client_id)

    def available(self, mode: str) -> bool:
        """Whether the scene has what a mode shows."""
        scene = self.document.scene
        return scene.has_objects if mode in NEEDS_OBJECTS else mode != "features" or scene.basis is not None

    def _full(self, scene: ShownScene, state: ViewState) -> Picture:
        """The picture in full, which is not taken twice of the same."""
        taken = self._last
        camera = rendering_camera(self.camera(), state.height)
        if taken is None or taken.scene is not scene or taken.state is not state or not _same(taken.picture.camera, camera):
            taken = _Taken(scene, state, take_picture(scene, state, camera, with_ids=scene.has_objects))
            self._last = taken
        return taken.picture

    def _coarse(self, scene: ShownScene, state: ViewState) -> Picture:
        camera = rendering_camera(self.camera(), max(round(state.height * self._scale), 1))
        return take_picture(scene, state, camera, with_ids=False)

    def _moved(self, _: CameraHandle) -> None:
        self._ask("moving")

    def _ask(self, urgency: Urgency) -> None:
        self._pictures.ask(self.client.client_id, PictureRequest(self, urgency))

    def _adapt(self, seconds: float) -> None:
        """Fewer pixels where frames take too long, more where there is time; time grows with their number."""
        wanted = self._scale * (1 / (self._options.frames_per_second * max(seconds, 1e-4))) ** 0.5
        self._scale = min(max(0.5 * (self._scale + wanted), _COARSEST), 1.0)


def _same(one: Camera, other: Camera) -> bool:
    return one.width == other.width and one.height == other.height and same_view(one, other)
