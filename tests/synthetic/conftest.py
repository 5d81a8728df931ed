"""The default room, set up once, and a small scene folder of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3d_splat.synthetic import points
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.stage import Stage, make_stage

SMALL = SynthOptions(frames=24, width=80, height=60)


@pytest.fixture(scope="session")
def default_stage() -> Stage:
    """World, camera and path of `s3d-splat synth` without options."""
    return make_stage(SynthOptions())


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames of the default room at 80 x 60, without faults."""
    folder = tmp_path_factory.mktemp("synthetic") / "scene"
    with few_points():
        write_scene(folder, SMALL)
    return folder


@contextmanager
def few_points() -> Iterator[None]:
    """Truth points twenty times sparser than a user's, to save time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "DENSITY", points.DENSITY / 20)
        yield
