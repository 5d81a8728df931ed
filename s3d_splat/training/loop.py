"""The small loop of `s3d-splat train`: steps until the last, with log lines, checkpoints and a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from s3d_splat.training.session import StepReport, TrainingSession

Observer = Callable[[StepReport, float], None]


def run_steps(
    session: TrainingSession,
    save: Callable[[float], None],
    log: Callable[[StepReport, float], None],
    observe: Observer,
    seconds_before: float = 0.0,
) -> float:
    """Run the steps that are left; returns the seconds of training so far, those before a resume included.

    `save(seconds)` writes a checkpoint: every `checkpoint_seconds` of wall-clock time and after the last step; `log(report,
    seconds)` gets every `log_every`-th step; `observe(report, seconds)` every step.
    """
    start = last_save = time.monotonic()
    while session.step_index < session.total_steps:
        report = session.step()
        now = time.monotonic()
        seconds = seconds_before + now - start
        observe(report, seconds)
        if report.step % session.options.log_every == 0 or report.step + 1 == session.total_steps:
            log(report, seconds)
        if now - last_save >= session.options.checkpoint_seconds:
            save(seconds)
            last_save = time.monotonic()
    seconds = seconds_before + time.monotonic() - start
    save(seconds)
    return seconds


@contextmanager
def progress_bar(total: int, done: int) -> Iterator[Observer]:
    """An observer that shows stage, loss, PSNR, speed and time left on standard error when that is a terminal."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  {task.fields[psnr]:.1f} dB"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), refresh_per_second=4) as progress:
        task = progress.add_task("training", total=total, completed=done, loss=float("nan"), psnr=float("nan"))

        def observe(report: StepReport, seconds: float) -> None:
            progress.update(
                task, completed=report.step + 1, description=report.stage, loss=report.losses["loss"], psnr=report.psnr
            )

        yield observe
