"""The configuration as presets, plain dicts and errors."""

import tomllib
from pathlib import Path

import pytest

import s3d_splat
from s3d_splat.config import Config, config_from_dict, config_to_dict, load_preset, preset_names
from s3d_splat.errors import S3DError


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_the_way_through_plain_values(name: str):
    config = load_preset(name)
    assert config_from_dict(config_to_dict(config)) == config


def test_presets_override_and_keep_the_rest():
    cpu = load_preset("cpu")
    assert cpu.training.steps == 2750
    assert cpu.training.stages == Config().training.stages
    assert cpu.scaffold == Config().scaffold
    assert not load_preset("paper").instances.relift.merge
    fast = load_preset("fast")
    assert fast.training.steps < cpu.training.steps
    assert fast.scaffold == cpu.scaffold


def test_every_row_of_the_ablations_is_a_few_keys():
    """The paper's choices, as a preset's TOML would give them."""
    rows = """
    scaffold.feature_per = "gaussian"
    scaffold.view_dependent_opacity = true
    training.freeze_appearance = true
    instances.aggregation.edges = "colour"
    instances.aggregation.seeds = 200
    instances.aggregation.first_seed = "outermost"
    instances.aggregation.voxel = 0.5
    instances.aggregation.feature_threshold = 0.06
    instances.aggregation.clustering = "hdbscan"
    """
    for row in filter(None, map(str.strip, rows.splitlines())):
        config = config_from_dict(tomllib.loads(row))
        assert config != Config()
        assert config_from_dict(config_to_dict(config)) == config


def test_a_threshold_of_none_survives_the_way_through_plain_values():
    config = config_from_dict({"instances": {"aggregation": {"feature_threshold": None}}})
    assert config.instances.aggregation.feature_threshold is None
    assert config_from_dict(config_to_dict(config)) == config


def test_whole_numbers_serve_as_fractions():
    assert config_from_dict({"training": {"push_distance": 1}}).training.push_distance == 1.0


@pytest.mark.parametrize(
    ("values", "words"),
    [({"training": {"stepz": 1}}, "stepz"), ({"training": {"steps": "many"}}, "steps"), ({"colour": {}}, "colour")],
)
def test_unknown_keys_and_wrong_types_are_refused(values: dict, words: str):
    with pytest.raises(S3DError, match=words):
        config_from_dict(values)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(S3DError, match="phone") as refused:
        load_preset("phone")
    assert "cpu" in refused.value.why


def test_presets_are_shipped_with_the_package():
    with open(Path(__file__).parents[1] / "pyproject.toml", "rb") as file:
        globs = tomllib.load(file)["tool"]["setuptools"]["package-data"]["s3d_splat"]
    package = Path(s3d_splat.__file__).parent
    shipped = {path for pattern in globs for path in package.glob(pattern)}
    assert {package / "configs" / f"{name}.toml" for name in preset_names()} <= shipped
    assert all(list(package.glob(pattern)) for pattern in globs), "a pattern that names nothing"
