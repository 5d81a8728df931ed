"""One thread that works for every browser: only the newest request of each counts, and nobody waits for stale frames."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger("s3d_splat")

Request = TypeVar("Request")


class LatestOnly(Generic[Request]):
    """Runs requests one after another; a newer request of the same key replaces one that has not begun.

    Keys take turns. What a request raises is logged, and the next one runs.
    """

    def __init__(self, run: Callable[[Request], None]) -> None:
        """`run` is called on the thread of this worker, which is started."""
        self._run = run
        self._pending: dict[Hashable, tuple[float, Request]] = {}  # due time (monotonic seconds) and request
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread = threading.Thread(target=self._loop, name="s3d-splat pictures", daemon=True)
        self._thread.start()

    def ask(self, key: Hashable, request: Request, delay: float = 0.0) -> None:
        """Run a request, `delay` seconds from now at the earliest, in place of a pending one of this key."""
        with self._changed:
            due = time.monotonic() + delay
            self._pending.pop(key, None)  # so that who has just been served is last in turn
            self._pending[key] = (due, request)
            self._changed.notify_all()

    def ask_unless_pending(self, key: Hashable, request: Request, delay: float) -> None:
        """As `ask`, but what is pending of this key is newer and stays."""
        with self._changed:
            if key not in self._pending:
                self._pending[key] = (time.monotonic() + delay, request)
                self._changed.notify_all()

    def forget(self, key: Hashable) -> None:
        """Drop the pending request of a key."""
        with self._changed:
            self._pending.pop(key, None)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing runs and nothing is due; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy and self._due() is None, timeout)

    def stop(self) -> None:
        """End the thread after what it runs."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(timeout=30.0)

    def _due(self) -> Hashable | None:
        now = time.monotonic()
        return next((key for key, (due, _) in self._pending.items() if due <= now), None)

    def _loop(self) -> None:
        while True:
            with self._changed:
                key = self._due()
                while key is None and not self._stopped:
                    soonest = min((due for due, _ in self._pending.values()), default=None)
                    self._changed.wait(None if soonest is None else max(soonest - time.monotonic(), 0.0))
                    key = self._due()
                if self._stopped or key is None:
                    return
                request = self._pending.pop(key)[1]
                self._busy = True
            try:
                self._run(request)
            except Exception:
                log.exception("what a browser asked for failed")
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
