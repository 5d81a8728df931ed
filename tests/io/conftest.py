"""A scene folder that a test may damage."""

from pathlib import Path

import pytest

from tests.scene_fixtures import write_tiny_scene


@pytest.fixture
def scene_folder(tmp_path: Path) -> Path:
    return write_tiny_scene(tmp_path / "scene")
