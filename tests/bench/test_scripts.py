"""The scripts in benchmarks/ do what their tables say."""

import importlib
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
    """One process computes for 0.2 s and fills 300 MB; the next one is small, as if it had been the first."""
    codes = {
        "large": "import time\nblock = b'1' * 300_000_000\nwhile time.process_time() < 0.2: pass",
        "small": "pass",
    }
    monkeypatch.setattr(alignment, "_command", lambda words: [sys.executable, "-c", codes[words[0]]])
    large, small = alignment._measured(["large"]), alignment._measured(["small"])
    assert large.keys() == {"cpu_seconds", "memory_mb"}
    assert 0.19 < large["cpu_seconds"] < 2
    assert large["memory_mb"] > 300
    assert small["memory_mb"] < 100


def test_a_command_that_fails_is_not_measured(alignment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_command", lambda words: [sys.executable, "-c", "raise SystemExit(2)"])
    with pytest.raises(subprocess.CalledProcessError, match="exit status 2"):
        alignment._measured(["prepare"])
