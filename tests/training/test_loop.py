"""The loop saves by the clock, so that a kill never costs more than the time between two checkpoints and one step."""

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import pytest

from s3d_splat.training import loop
from s3d_splat.training.options import TrainingOptions
from s3d_splat.training.session import StepReport, TrainingSession


@dataclass
class Clock:
    """Seconds that pass only when a step is run."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


class Steps(TrainingSession):
    """A session whose every step takes `seconds` and does nothing."""

    def __init__(self, clock: Clock, seconds: float, steps: int) -> None:
        self.clock, self.seconds, self.step_index = clock, seconds, 0
        self.options = TrainingOptions(steps=steps)

    def step(self) -> StepReport:
        self.clock.now += self.seconds
        self.step_index += 1
        return StepReport(self.step_index - 1, "stage", {"loss": 1.0}, 20.0)


def run(monkeypatch: pytest.MonkeyPatch, seconds: float, steps: int, before: float = 0.0) -> SimpleNamespace:
    clock = Clock()
    monkeypatch.setattr(loop.time, "monotonic", clock.monotonic)
    session = Steps(clock, seconds, steps)
    saved: list[tuple[int, float]] = []
    logged: list[int] = []
    total = loop.run_steps(
        session,
        save=lambda s: saved.append((session.step_index, s)),
        log=lambda report, s: logged.append(report.step),
        observe=lambda report, s: None,
        seconds_before=before,
    )
    return SimpleNamespace(saved=saved, logged=logged, total=total)


@pytest.mark.parametrize("seconds", [0.05, 0.7, 9.0])
def test_at_most_thirty_seconds_lie_between_two_checkpoints_by_default(monkeypatch: pytest.MonkeyPatch, seconds: float):
    done = run(monkeypatch, seconds, steps=400)
    times = [0.0, *(time for _, time in done.saved)]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 30.0
    assert done.saved[-1][0] == 400


def test_the_last_step_is_saved_and_logged_and_seconds_go_on_after_a_resume(monkeypatch: pytest.MonkeyPatch):
    done = run(monkeypatch, 1.0, steps=25, before=7.0)
    assert done.saved == [(20, 27.0), (25, 32.0)]
    assert done.logged == [0, 10, 20, 24]
    assert done.total == 32.0
