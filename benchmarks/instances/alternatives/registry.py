"""The alternatives by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.instances.alternatives.base import Alternative
from benchmarks.instances.alternatives.codebook import Codebook
from benchmarks.instances.alternatives.density import Density
from benchmarks.instances.alternatives.direct_lifting import DirectLifting
from benchmarks.instances.alternatives.mask_graph import MaskGraph

ALTERNATIVES: Mapping[str, Callable[..., Alternative]] = {
    "direct lifting": DirectLifting,
    "codebook": Codebook,
    "HDBSCAN": Density,
    "mask graph": MaskGraph,
}


def alternative(name: str, choices: Mapping[str, Any]) -> Alternative:
    """An alternative with some of its constants chosen."""
    return ALTERNATIVES[name](**choices)
