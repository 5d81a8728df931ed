"""The whole configuration: one value made of the rooms' options, presets that override defaults, and plain-dict form."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.raster.options import RasterOptions
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.training.options import TrainingOptions


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run becomes, besides the scene."""

    scaffold: ScaffoldOptions = field(default_factory=ScaffoldOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    instances: InstanceOptions = field(default_factory=InstanceOptions)
    raster: RasterOptions = field(default_factory=RasterOptions)


def preset_names() -> tuple[str, ...]:
    """The presets that are shipped (`configs/NAME.toml`)."""
    folder = resources.files("s3d_splat.configs")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def automatic_preset() -> str:
    """`gpu` where torch has a CUDA device, else `cpu`."""
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def load_preset(name: str) -> Config:
    """The defaults with a preset's overrides.

    Raises:
        S3DError: there is no such preset.
    """
    if name not in preset_names():
        raise S3DError(
            f"there is no preset {name!r}",
            why=f"the shipped presets are {', '.join(preset_names())}",
            fix="choose one of them, or leave --preset away to have it chosen by the machine",
        )
    text = resources.files("s3d_splat.configs").joinpath(f"{name}.toml").read_text()
    return config_from_dict(tomllib.loads(text))


def config_to_dict(config: Config) -> dict[str, Any]:
    """Plain dicts, lists and numbers, as `run.json` holds them."""
    return dataclasses.asdict(config)


def config_from_dict(values: dict[str, Any]) -> Config:
    """The inverse of `config_to_dict`; what is not mentioned keeps its default.

    Raises:
        S3DError: an unknown key, or a value of another type.
    """
    import dacite

    try:
        return dacite.from_dict(Config, values, dacite.Config(strict=True, cast=[tuple], type_hooks={float: float}))
    except (dacite.DaciteError, TypeError, ValueError) as error:
        raise S3DError(
            f"the configuration does not fit this version: {error}",
            why="every key must be an option that this version knows, with a value of its type",
            fix="correct the key or value, or make the run again with this version",
        ) from error
