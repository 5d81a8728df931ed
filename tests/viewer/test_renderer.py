"""One worker for all browsers: the newest request counts, and everybody gets a turn."""

import threading
import time
from collections.abc import Iterator

import pytest

from s3d_splat.viewer.renderer import LatestOnly


class Recorder:
    """Runs requests, the first one not before it is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.started, self.go = threading.Event(), threading.Event()

    def run(self, request: str) -> None:
        self.started.set()
        assert self.go.wait(10)
        self.done.append(request)
        if request == "bad":
            raise RuntimeError("no picture")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def worker(recorder: Recorder) -> Iterator[LatestOnly[str]]:
    worker: LatestOnly[str] = LatestOnly(recorder.run)
    yield worker
    recorder.go.set()
    worker.stop()


def test_stale_requests_are_never_run(worker: LatestOnly[str], recorder: Recorder):
    worker.ask("browser", "first")
    assert recorder.started.wait(10)
    for request in ("second", "third", "fourth"):
        worker.ask("browser", request)
    recorder.go.set()
    assert worker.wait_idle(10.0)
    assert recorder.done == ["first", "fourth"]


def test_browsers_take_turns(worker: LatestOnly[str], recorder: Recorder):
    worker.ask("a", "a1")
    assert recorder.started.wait(10)
    worker.ask("a", "a2")
    worker.ask("b", "b1")
    worker.ask("a", "a3")
    recorder.go.set()
    assert worker.wait_idle(10.0)
    assert recorder.done == ["a1", "b1", "a3"]


def test_what_is_pending_is_newer_than_what_comes_after_a_picture(worker: LatestOnly[str], recorder: Recorder):
    worker.ask("a", "a1")
    assert recorder.started.wait(10)
    worker.ask("a", "moving")
    worker.ask_unless_pending("a", "still", delay=0.0)
    worker.ask_unless_pending("b", "still b", delay=0.0)
    recorder.go.set()
    assert worker.wait_idle(10.0)
    assert recorder.done == ["a1", "moving", "still b"]


def test_a_delay_is_waited_for_and_can_be_overtaken(worker: LatestOnly[str], recorder: Recorder):
    recorder.go.set()
    start = time.monotonic()
    worker.ask("late", "late", delay=0.2)
    worker.ask("now", "now")
    while len(recorder.done) < 2 and time.monotonic() < start + 10:
        time.sleep(0.01)
    assert recorder.done == ["now", "late"]
    assert time.monotonic() - start >= 0.2


def test_a_failure_ends_nothing_and_who_is_gone_gets_nothing(worker: LatestOnly[str], recorder: Recorder):
    worker.ask("a", "bad")
    assert recorder.started.wait(10)
    worker.ask("a", "good")
    worker.ask("gone", "nobody looks")
    worker.forget("gone")
    recorder.go.set()
    assert worker.wait_idle(10.0)
    assert recorder.done == ["bad", "good"]
