"""The questions, as lists of variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from benchmarks.instances.alternatives.registry import ALTERNATIVES
from benchmarks.instances.variants import Variant

OURS = Variant("ours")
TOGETHER = ("jitter", "drop", "merge", "renumber=frame")
FAULTS: tuple[tuple[str, ...], ...] = (
    *((), ("drop",), ("renumber",), ("renumber=frame",), ("jitter",), ("merge",), ("split",), ("missing",)),
    TOGETHER,
)
HARD: tuple[tuple[str, ...], ...] = ((), ("renumber=frame",), ("jitter",), TOGETHER)  # what tuning looks at

# The grids over which the constants of each method are tuned.
TUNING: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "codebook": {"entries": (48, 64, 96, 128), "position_weight": (0.0, 0.3, 1.0)},
    "HDBSCAN": {"min_cluster_size": (10, 20, 40), "min_samples": (2, 5), "position_weight": (0.1, 0.3, 1.0)},
    "mask graph": {"agreement": (0.5, 0.6, 0.7, 0.9), "containment": (0.5, 0.6, 0.7), "transfer": ("nearest", "lift")},
    "ours": {"feature_threshold": (None, 0.08, 0.12, 0.18), "agreement": (0.5, 0.6, 0.7)},
}
DETACHED = (  # the progressive stages, with features that never move a Gaussian
    {"name": "appearance", "share": 0.4, "growth": True},
    {"name": "features", "share": 0.6, "features": True},
)
_IN_RELIFT = ("agreement",)


def alternatives() -> tuple[Variant, ...]:
    """Ours and what users would otherwise pick, with their default constants."""
    return (OURS, *(Variant(name, alternative=name) for name in ALTERNATIVES))


def ablations() -> tuple[Variant, ...]:
    """The method's parts, one at a time, and the paper's own configuration."""
    return (
        OURS,
        Variant("the paper's configuration", preset="paper"),
        Variant("the paper's, no relift", preset="paper", instances={"relift": {"rounds": 0}}),
        Variant("ids say nothing", instances={"relift": {"persistence": 2.0}}),
        Variant("no relift", instances={"relift": {"rounds": 0}}),
        Variant("relift without merging", instances={"relift": {"merge": False}}),
        Variant("relift without splitting", instances={"relift": {"split": False}}),
        Variant("strays stay", instances={"relift": {"strays": False}}),
        Variant("fragments stay", instances={"relift": {"fragments": False}}),
        Variant("silent views are heard", instances={"relift": {"silence": False}}),
        Variant("a feature for every Gaussian", training={"scaffold": {"feature_per": "gaussian"}}),
        Variant("no joint stage", training={"training": {"stages": DETACHED}}),
        Variant("features on frozen looks", training={"training": {"freeze_appearance": True}}),
        Variant("opacity by view", training={"scaffold": {"view_dependent_opacity": True}}),
        *(_aggregation(f"edges: {edges}", edges=edges) for edges in ("feature", "voxel", "colour")),
        _aggregation("HDBSCAN of over-segments", clustering="hdbscan"),
        _aggregation("first seed outermost", first_seed="outermost"),
        _aggregation("over-segments in several places", connected=False),
        *(_aggregation(f"{seeds} seeds", seeds=seeds) for seeds in (200, 500)),
        *(_aggregation(f"voxel {voxel} m", voxel=voxel) for voxel in (0.05, 0.2, 0.5)),
        *(_aggregation(f"threshold {value}", feature_threshold=value) for value in (0.06, 0.1, 0.15, 0.2)),
    )


def question(name: str) -> list[Variant]:
    """The variants of a question: clean+faults, alternatives, ablations or kitchen."""
    if name == "clean+faults":
        return [replace(OURS, faults=faults) for faults in FAULTS]
    if name == "alternatives":
        return [replace(method, faults=faults) for method, faults in product(alternatives(), FAULTS)]
    if name == "ablations":
        return [replace(method, faults=faults) for method, faults in product(ablations(), ((), TOGETHER))]
    kitchen = product(alternatives(), ((), ("renumber=frame",)))
    return [replace(method, faults=faults, kitchen=True) for method, faults in kitchen]


def tuning(method: str) -> list[Variant]:
    """Every choice of a method's constants (a key of `TUNING`), under the conditions of `HARD`."""
    return [replace(choice, faults=faults) for choice, faults in product(_choices(method), HARD)]


def _choices(method: str) -> Iterator[Variant]:
    grid = TUNING[method]
    for values in product(*grid.values()):
        choice = dict(zip(grid, values, strict=True))
        words = ", ".join(f"{name} {value}" for name, value in choice.items())
        if method in ALTERNATIVES:
            yield Variant(f"{method}: {words}", alternative=method, choices=choice)
        else:
            rooms: dict[str, dict[str, Any]] = {"aggregation": {}, "relift": {}}
            for name, value in choice.items():
                rooms["relift" if name in _IN_RELIFT else "aggregation"][name] = value
            yield Variant(f"{method}: {words}", instances=rooms)


def _aggregation(name: str, **choice: Any) -> Variant:
    return Variant(name, instances={"aggregation": choice})
