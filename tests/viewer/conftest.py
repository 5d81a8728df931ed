"""A tiny trained run to look at, made once."""

from pathlib import Path

import pytest

from tests.scenario.test_train_command import train
from tests.scene_fixtures import write_tiny_scene


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wall, a red and a blue chair, trained. Tests that write into it copy it first (`own_copy`)."""
    folder = tmp_path_factory.mktemp("viewer")
    train(write_tiny_scene(folder / "scene"), folder / "run")
    return folder / "run"
