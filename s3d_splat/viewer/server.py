"""The viewer: a run folder in browsers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from s3d_splat.ask.run import LateSearch
from s3d_splat.errors import S3DError
from s3d_splat.query.options import QueryOptions
from s3d_splat.viewer.cameras import start_view
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.panels.sidebar import Sidebar, add_sidebar
from s3d_splat.viewer.questions import Questions
from s3d_splat.viewer.renderer import LatestOnly
from s3d_splat.viewer.session import PictureRequest, Session
from s3d_splat.viewer.viser_api import open_server

if TYPE_CHECKING:
    from viser import ClientHandle

log = logging.getLogger("s3d_splat")

_POLL = 2.0  # seconds between looks for a new checkpoint


class _ClosingError(Exception):
    """The viewer ends; nobody waits for this any more."""


class Viewer:
    """A run folder that browsers can open until `stop`."""

    def __init__(
        self, run_folder: Path, options: ViewOptions, new_search: Callable[[], LateSearch], query: QueryOptions
    ) -> None:
        """Open the run and begin to listen.

        Raises:
            S3DError: no trained run, no viser, or one cannot listen there.
        """
        self._options = options
        self.document = Document(run_folder, pause=lambda: self._wait_for_browsers())
        self.questions = Questions(self.document, new_search, query)
        self.sessions: dict[int, Session] = {}
        self.sidebars: dict[int, Sidebar] = {}
        self._stopped = threading.Event()
        self._server = open_server(options.host, options.port, f"s3d-splat · {run_folder.name}")
        self._pictures: LatestOnly[PictureRequest] = LatestOnly(lambda request: request.session.render(request.urgency))
        self._slow: LatestOnly[Callable[[], None]] = LatestOnly(lambda work: work())
        self._slow.ask("views", self._gather)
        self._server.on_client_connect(self._connected)
        self._server.on_client_disconnect(self._disconnected)
        self._watching = threading.Thread(target=self._watch, name="s3d-splat watch", daemon=True)
        if options.watch:
            self._watching.start()

    @property
    def url(self) -> str:
        """Where browsers find it."""
        host = self._options.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._options.port}"

    def wait(self) -> None:
        """Until `stop`, or until the user interrupts."""
        while not self._stopped.wait(3600):
            pass

    def is_idle(self) -> bool:
        """Whether every browser has the picture that it asked for."""
        return self._pictures.wait_idle(timeout=0.0)

    def stop(self) -> None:
        """Listen no longer, and end what runs: a thread that is in compiled code when the program ends takes it down."""
        self._stopped.set()
        self._server.stop()
        self._pictures.stop()
        self._slow.stop()
        if self._watching.is_alive():
            self._watching.join(timeout=30.0)

    def _connected(self, client: ClientHandle) -> None:
        session = Session(client, self.document, self._pictures, self._options)
        self.sidebars[client.client_id] = add_sidebar(session, self.questions, self._slow, self._options)
        self.document.on_change(session.refresh)
        self.sessions[client.client_id] = session
        session.look_from(start_view(self.document.run.scene))
        session.refresh()

    def _disconnected(self, client: ClientHandle) -> None:
        session = self.sessions.pop(client.client_id, None)
        self.sidebars.pop(client.client_id, None)
        if session is not None:
            self.document.forget(session.refresh)
            session.close()

    def _wait_for_browsers(self) -> None:
        """For what is not urgent. Raises _ClosingError: the viewer ends."""
        while not self._pictures.wait_idle(timeout=1.0):
            if self._stopped.is_set():
                break
        if self._stopped.is_set():
            raise _ClosingError

    def _gather(self) -> None:
        """What takes long is done while nobody waits: then cards tell the views, and thresholds answer at once."""
        try:
            if self.document.scene.has_objects:
                self.document.evidence.gather()
                for session in list(self.sessions.values()):
                    session.refresh()
        except _ClosingError:
            log.debug("the viewer ends before all views were read")
        except S3DError as error:
            log.warning("%s", error)

    def _watch(self) -> None:
        while not self._stopped.wait(_POLL):
            try:
                if self.document.reload_if_new():
                    log.info("%s: a new checkpoint", time.strftime("%H:%M:%S"))
                    self._slow.ask("views", self._gather)
            except S3DError as error:
                log.warning("%s", error)
