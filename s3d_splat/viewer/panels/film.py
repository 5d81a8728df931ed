"""Views that are remembered, and the film that leads through them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from s3d_splat.errors import S3DError
from s3d_splat.viewer.cameras import BrowserCamera, rendering_camera
from s3d_splat.viewer.film import free_name, path_through, write_film
from s3d_splat.viewer.pictures import take_picture
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.viser_api import plain

if TYPE_CHECKING:
    from viser import GuiApi

log = logging.getLogger("s3d_splat")

_RATE = 24  # frames per second
_RECORDING = threading.Lock()  # one film at a time, whichever browser asks: names of files are given one after the other
_HELP = "Go somewhere and add the view; the film leads through all of them, in the mode that is shown."


class FilmPanel:
    """Add views, record."""

    def __init__(self, gui: GuiApi, session: Session) -> None:
        self._session = session
        self.views: list[BrowserCamera] = []
        self.message = gui.add_markdown(_HELP)
        self.add = gui.add_button("Add this view")
        self.clear = gui.add_button("Forget the views", disabled=True)
        self.seconds = gui.add_slider("Seconds", min=1, max=60, step=1, initial_value=6)
        self.record = gui.add_button("Record", disabled=True)
        self.add.on_click(lambda _: self._keep([*self.views, session.camera()]))
        self.clear.on_click(lambda _: self._keep([]))
        self.record.on_click(lambda _: self._recorded())

    def _keep(self, views: Sequence[BrowserCamera]) -> None:
        self.views = list(views)
        self.clear.disabled = not self.views
        self.record.disabled = len(self.views) < 2
        self.message.content = f"{_HELP}  \nViews: {len(self.views)}"

    def _recorded(self) -> None:
        if not _RECORDING.acquire(blocking=False):
            self._say("Another film is being recorded; try again when it is done.")
            return
        try:
            frames = max(2, round(float(self.seconds.value) * _RATE))
            path = path_through(self.views, frames)
            name = free_name(self._session.document.root / "films")
            written = write_film(
                name, self._images(path), _RATE, lambda number: self._say(f"Recording: {number} of {frames} frames.")
            )
            self._say(f"Written: {plain(str(written))}")
            if written.is_file():
                self._session.client.send_file_download(written.name, written.read_bytes())
        except S3DError as error:
            self._say(plain(str(error)))
        except Exception:
            log.exception("a film could not be recorded")
            self._say("Something went wrong; the terminal says what.")
        finally:
            _RECORDING.release()

    def _images(self, path: Sequence[BrowserCamera]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        scene, state = self._session.document.scene, self._session.state
        for view in path:
            yield take_picture(scene, state, rendering_camera(view, state.height), with_ids=False).colour

    def _say(self, text: str) -> None:
        self.message.content = text
