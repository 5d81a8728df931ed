"""The scripts in benchmarks/ do what their tables say."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def alignment(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("alignment")


def test_the_cost_of_a_command_is_that_of_its_process(alignment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that computes for 0.2 s of its own and sleeps for 0.5 s."""
    code = "import time\nwhile time.process_time() < 0.2: pass\ntime.sleep(0.5)"
    before = sum(os.times()[2:4])
    monkeypatch.setattr(alignment, "splat", lambda *words: subprocess.run([sys.executable, "-c", code], check=True))
    row = alignment._measured(["prepare"])
    assert row.keys() == {"cpu_seconds", "memory_mb"}
    assert 0.19 < row["cpu_seconds"] <= sum(os.times()[2:4]) - before + 0.02
    assert row["memory_mb"] > 1
