"""A tiny trained run that questions are asked of, made once."""

from pathlib import Path

import pytest

from tests.scenario.test_train_command import train
from tests.scene_fixtures import write_tiny_scene


@pytest.fixture(scope="package")
def trained_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wall, a red and a blue chair, trained. Tests that write into it copy it first (`own_copy`)."""
    folder = tmp_path_factory.mktemp("query")
    train(write_tiny_scene(folder / "scene", truth=True), folder / "run")
    return folder / "run"
