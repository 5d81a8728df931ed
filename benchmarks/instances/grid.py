"""Runs a list of cells: what is there is kept, what several share is made once, and each training has its own process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from typing import Any

from benchmarks.instances.variants import Cell, Settings
from benchmarks.instances.work import Folders, is_measured, make_scene, train_and_measure

Figures = dict[str, Any]
Task = tuple[str, Callable[..., None], tuple[Any, ...]]  # what to call it, and the call


def run_grid(cells: Sequence[Cell], settings: Settings, folders: Folders, jobs: int) -> dict[str, Figures]:
    """The figures of all cells by the name of their result; what fails leaves a message, and the others go on.

    Raises:
        SystemExit: something failed; what was finished is kept.
    """
    wanted = [cell for cell in _once(cells, lambda cell: cell.result) if not is_measured(cell, folders)]
    missing = [cell for cell in _once(wanted, lambda cell: cell.scene) if not folders.scene(cell).exists()]
    failed = _in_processes([(cell.scene, make_scene, (cell, settings, folders)) for cell in missing], jobs)
    groups: dict[str, list[Cell]] = {}
    for cell in wanted:
        if cell.scene not in failed:
            groups.setdefault(cell.training, []).append(cell)
    failed |= _in_processes([(name, train_and_measure, (group, folders)) for name, group in groups.items()], jobs)
    if failed:
        sys.exit(f"failed: {', '.join(sorted(failed))}")
    return {cell.result: json.loads(folders.figures(cell).read_text()) for cell in cells}


def _once(cells: Sequence[Cell], name: Callable[[Cell], str]) -> list[Cell]:
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(name(cell), cell)
    return list(first.values())


def _in_processes(tasks: Sequence[Task], jobs: int) -> set[str]:
    """Run tasks, `jobs` at a time, each in a new process so that its memory ends with it; returns those that failed."""
    failed: set[str] = set()
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[tuple[bool, float]], str] = {}
        try:
            for name, function, arguments in tasks:
                futures[pool.submit(_in_process, function, arguments)] = name
            for number, future in enumerate(as_completed(futures), start=1):
                name, (done, seconds) = futures[future], future.result()
                if not done:
                    failed.add(name)
                state = "done" if done else "failed"
                print(f"[{number}/{len(tasks)}] {name} {state} in {seconds:.0f} s", file=sys.stderr, flush=True)
        except BaseException:  # an interrupted call leaves no process behind
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise
    return failed


def _in_process(function: Callable[..., None], arguments: tuple[Any, ...]) -> tuple[bool, float]:
    start = time.monotonic()
    process = get_context("spawn").Process(target=function, args=arguments, daemon=True)
    process.start()
    process.join()
    return process.exitcode == 0, time.monotonic() - start
