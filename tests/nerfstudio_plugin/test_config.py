"""The configuration: flags, steps, device, and what importing it costs."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
import yaml

from nerfstudio_plugin.config import SplatTrainerConfig, scale3d_splat
from nerfstudio_plugin.dataparser_config import s3d_splat_scene
from s3d_splat.config import automatic_preset, load_preset
from s3d_splat.errors import S3DError
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions

Parse = Callable[..., SplatTrainerConfig]


def test_nerfstudio_finds_method_and_data_parser():
    assert entry_points(group="nerfstudio.method_configs")["scale3d-splat"].load() is scale3d_splat
    assert entry_points(group="nerfstudio.dataparser_configs")["s3d-splat-scene"].load() is s3d_splat_scene


def test_importing_the_configuration_imports_nothing_that_works():
    code = "import sys, nerfstudio_plugin.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {
        name for name in loaded if name.startswith(("s3d_splat.", "nerfstudio_plugin.")) and not name.endswith("options")
    }
    assert ours <= {
        "nerfstudio_plugin.config",
        "nerfstudio_plugin.dataparser_config",
        *("s3d_splat.config", "s3d_splat.configs", "s3d_splat.errors", "s3d_splat.instances", "s3d_splat.raster"),
        *("s3d_splat.scaffold", "s3d_splat.training", "s3d_splat.torchvision_ops"),
        *("s3d_splat.priors", "s3d_splat.priors.text", "s3d_splat.query"),
    }


def test_the_preset_of_the_machine_is_the_default(parse: Parse):
    model = parse().pipeline.model
    assert model.run_config() == load_preset(automatic_preset())
    assert parse().machine.device_type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_flags_override_the_preset(parse: Parse):
    config = parse("--pipeline.model.training.steps", 7, "--pipeline.model.instances.relift.rounds", 0)
    assert config.pipeline.model.training.steps == 7
    assert config.pipeline.model.instances.relift.rounds == 0
    assert config.resolved().max_num_iterations == 7


def test_max_num_iterations_wins(parse: Parse):
    config = parse("--pipeline.model.training.steps", 7, "--max-num-iterations", 5).resolved()
    assert config.max_num_iterations == 5
    assert config.pipeline.model.training.steps == 5


def test_without_cuda_the_device_is_the_cpu(parse: Parse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert parse("--machine.device-type", "cuda").resolved().machine.device_type == "cpu"


def test_on_the_cpu_of_a_machine_with_cuda_the_cpu_renders(parse: Parse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert parse("--machine.device-type", "cpu").resolved().pipeline.model.raster.backend == "cpu"
    assert parse("--machine.device-type", "cuda").resolved().pipeline.model.raster.backend == "auto"


def test_several_devices_are_refused(parse: Parse):
    with pytest.raises(S3DError, match="2 devices were asked for"):
        parse().resolved(world_size=2)


def test_the_configuration_survives_yaml(parse: Parse):
    config = parse("--run-folder", "some/run")
    assert yaml.load(yaml.dump(config), Loader=yaml.Loader) == config


def test_questions_have_their_flags(parse: Parse):
    pipeline = parse("--pipeline.encoder.clip-model", "ViT-L-14", "--pipeline.search.margin", 0.9).pipeline
    assert pipeline.encoder.clip_model == "ViT-L-14"
    assert pipeline.search.margin == 0.9


def test_a_config_yml_from_before_questions_has_their_defaults(parse: Parse):
    config = parse("--run-folder", "some/run")
    for name in ("encoder", "pictures", "search"):
        del vars(config.pipeline)[name]
    pipeline = yaml.load(yaml.dump(config), Loader=yaml.Loader).pipeline
    assert (pipeline.encoder, pipeline.pictures, pipeline.search) == (TextOptions(), PictureOptions(), QueryOptions())


def test_the_run_folder_is_the_base_folder(parse: Parse):
    assert parse("--run-folder", "some/run").get_base_dir() == Path("some/run")
    named = parse("--data", "/x/room", "--timestamp", "now", "--experiment-name", "room").get_base_dir()
    assert named == Path("outputs/room/scale3d-splat/now")
