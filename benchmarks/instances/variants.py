"""One run of the grid as a value, and the names under which its scene, its training and its result are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.instances.alternatives.registry import alternative
from s3d_splat.config import Config, config_from_dict, config_to_dict, load_preset

KITCHEN_PRESET = "cpu"  # a real capture takes more steps than a room whose colours are simple

Overrides = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What all runs of a call share."""

    preset: str = "fast"  # of the rooms; the kitchen has its own
    frames: int = 150  # of the built-in room
    width: int = 320  # pixels
    height: int = 240  # pixels
    steps: int | None = None  # of training; None: the preset's


@dataclass(frozen=True)
class Variant:
    """One row of a table: a method on a scene with faults."""

    method: str
    faults: tuple[str, ...] = ()  # as `s3d-splat synth --fault` takes them
    kitchen: bool = False  # the real kitchen instead of the built-in room
    preset: str | None = None  # in place of the settings' own; steps and learning rates stay theirs
    training: Overrides = field(default_factory=dict)  # of the configuration, `scaffold` and `training`
    instances: Overrides = field(default_factory=dict)  # of the configuration's `instances`
    alternative: str | None = None  # what finds the objects in place of our aggregation
    choices: Overrides = field(default_factory=dict)  # options of the alternative

    @property
    def condition(self) -> str:
        """The faults in words."""
        return " + ".join(self.faults) or "clean"


@dataclass(frozen=True)
class Cell:
    """A variant at one seed; equal names mean equal folders."""

    variant: Variant
    seed: int  # of the built-in room; of the training in the kitchen
    config: Config
    scene: str
    training: str
    result: str


def cell(variant: Variant, seed: int, settings: Settings) -> Cell:
    """Resolve a variant: its whole configuration, and names that differ exactly where something that matters differs."""
    config = configuration(variant, seed, settings)
    trained_with = {key: value for key, value in config_to_dict(config).items() if key != "instances"}
    scene = _scene_name(variant, seed, settings)
    training = f"{scene}-{_digest(trained_with)}"
    finder = None if variant.alternative is None else alternative(variant.alternative, variant.choices)
    found_with = [asdict(config.instances), variant.alternative, finder and asdict(finder)]
    return Cell(variant, seed, config, scene, training, f"{training}-{_digest(found_with)}")


def configuration(variant: Variant, seed: int, settings: Settings) -> Config:
    """Preset, then the schedule of the settings (steps and rates), then the variant's overrides; the kitchen has its own.

    Raises:
        S3DError: an override is no option of this version.
    """
    preset = KITCHEN_PRESET if variant.kitchen else settings.preset
    schedule = load_preset(preset).training
    values = config_to_dict(load_preset(variant.preset or preset))
    values = merged(values, {"training": {"steps": settings.steps or schedule.steps, "rates": asdict(schedule.rates)}})
    if variant.kitchen:
        values = merged(values, {"training": {"seed": seed}})
    return config_from_dict(merged(merged(values, variant.training), {"instances": variant.instances}))


def merged(values: Overrides, overrides: Overrides) -> dict[str, Any]:
    """`values` with those of `overrides` in their place, dict by dict; anything that is no dict is replaced as a whole."""
    result = dict(values)
    for key, value in overrides.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _scene_name(variant: Variant, seed: int, settings: Settings) -> str:
    faults = "".join(f"-{fault}" for fault in variant.faults)
    if variant.kitchen:
        return f"kitchen{faults}"
    return f"room-{seed}-{settings.frames}x{settings.width}x{settings.height}{faults}"


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]
