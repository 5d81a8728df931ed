"""Instance masks that come with images of classes beside them: what class each instance is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt32

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_counts
from s3d_splat.types import InstanceInfo

STUFF = frozenset({"wall", "floor", "ceiling"})  # classes that are one surface, not things that can be counted
_WORKERS = 2


def class_votes(pairs: Iterable[tuple[Path, Path]]) -> dict[int, int]:
    """The class that most labelled pixels of each instance have, 0 where none is labelled; ascending by instance.

    Args:
        pairs: the instance mask and the class image of each view, of one size.

    Raises:
        S3DError: an image cannot be read, or the two of a pair differ in size.
    """
    votes: dict[int, Counter[int]] = {}
    with ThreadPoolExecutor(_WORKERS) as readers:
        for counted in readers.map(lambda pair: _counted(*pair), pairs):
            for (instance, label), count in counted.items():
                votes.setdefault(instance, Counter())[label] += count
    return {instance: _best(votes[instance]) for instance in sorted(votes) if instance}


def instances_of_classes(class_of: Mapping[int, int], names: Mapping[int, str]) -> tuple[InstanceInfo, ...]:
    """A row for each instance; a class without a name is called by its number, class 0 is not known."""
    rows = []
    for instance, label in class_of.items():
        name = names.get(label, f"class {label}") if label else "object"
        rows.append(InstanceInfo(instance, label, name, name.lower() not in STUFF, 1.0))
    return tuple(rows)


def _counted(mask: Path, classes: Path) -> dict[tuple[int, int], int]:
    """Pixels of every pair of instance and class."""
    instances = read_counts(mask, "instances", where=mask.name).astype(np.uint32)
    labels = read_counts(classes, "semantics", where=classes.name).astype(np.uint32)
    if instances.shape != labels.shape:
        raise S3DError(
            f"{mask} is {_size(instances)}, {classes} is {_size(labels)}",
            why="they label the same pixels",
            fix="extract the labels again, both in the size of the images",
        )
    pairs, counts = np.unique(instances << np.uint32(16) | labels, return_counts=True)
    return {(int(pair) >> 16, int(pair) & 0xFFFF): int(count) for pair, count in zip(pairs, counts, strict=True)}


def _size(image: UInt32[np.ndarray, "h w"]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _best(votes: Counter[int]) -> int:
    """The class with the most pixels, of equal ones the lowest; 0 only where there is no other."""
    known = {label: count for label, count in votes.items() if label}
    return min(known, key=lambda label: (-known[label], label)) if known else 0
