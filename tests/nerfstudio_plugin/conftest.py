"""A scene, and `ns-train` run on it in this process (importing nerfstudio takes seconds)."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nerfstudio_plugin.config import SplatTrainerConfig
from tests.scene_fixtures import write_tiny_scene

STEPS = 20
FLAGS = (
    f"--pipeline.model.training.steps {STEPS} --pipeline.model.scaffold.anchors 150 "
    "--pipeline.model.scaffold.growth.interval 4 --pipeline.model.scaffold.growth.max-anchors 220 "
    "--pipeline.model.instances.aggregation.seeds 60 --pipeline.model.raster.backend cpu"
).split()


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_scene(tmp_path_factory.mktemp("nerfstudio") / "scene", truth=True)


@pytest.fixture(scope="session")
def parse() -> Callable[..., SplatTrainerConfig]:
    """What `ns-train scale3d-splat` makes of flags."""
    import tyro
    from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion

    def from_flags(*flags: object) -> SplatTrainerConfig:
        arguments = ["scale3d-splat", *(str(flag) for flag in flags)]
        config = tyro.cli(AnnotatedBaseConfigUnion, args=arguments)  # type: ignore[call-overload]
        assert isinstance(config, SplatTrainerConfig)
        return config

    return from_flags


@pytest.fixture(scope="session")
def ns_train(parse: Callable[..., SplatTrainerConfig]) -> Callable[..., None]:
    """`ns-train scale3d-splat FLAGS`, with few steps."""
    from nerfstudio.scripts.train import main

    def run(*flags: object) -> None:
        arguments = sys.argv
        sys.argv = ["ns-train", "scale3d-splat", *(str(flag) for flag in flags)]
        try:
            main(parse(*FLAGS, *flags))
        finally:
            sys.argv = arguments

    return run


@pytest.fixture(scope="session")
def trained(scene_folder: Path, ns_train: Callable[..., None]) -> Path:
    """The run folder of a training that ended."""
    folder = scene_folder.parent / "run"
    ns_train("--data", scene_folder, "--run-folder", folder)
    return folder
