"""Faults of what a segmenter would give: the masks and their ids. Images, depth and poses stay as they are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.ndimage import gaussian_filter

from s3d_splat.errors import S3DError
from s3d_splat.synthetic.classes import CLASS_IDS, STUFF
from s3d_splat.synthetic.options import SynthOptions, fault_level
from s3d_splat.synthetic.stage import stream
from s3d_splat.types import InstanceInfo

_JITTER = 3 / 320  # of the image's width
_JITTER_LENGTH = 8 / 320  # over which the displacement of borders varies, of the image's width
_DROP, _MERGE, _MISSING = 0.2, 0.2, 0.5
_RENUMBER_PERIOD = 20  # frames
_MAX_ID = 65535
_CLASS_NAMES = {number: name for name, number in CLASS_IDS.items()}
_Labels = Int[np.ndarray, "h w"]


class LabelFaults:
    """Turns true instance images into given ones, in the order of the frames, and keeps the table of the ids it gave.

    Faults act one after the other: jitter, drop, merge, split, renumber, missing. Each draws from its own stream, so that
    adding one leaves the others' choices as they were.
    """

    def __init__(
        self,
        options: SynthOptions,
        instance_class: Int[np.ndarray, " k"],
        names: tuple[str, ...],
        *,
        salt: int = 0,
        own_ids: bool = False,
    ) -> None:
        """`instance_class` and `names` tell the class of id k and the name of id k + 1.

        `salt` makes independent draws for another look at the same frames; with `own_ids` the ids are drawn from 1 on, so
        that they mean nothing outside this table.
        """
        self._options = options
        self._salt = salt
        self._class_of = instance_class
        self._names = names
        self._next_id = 1 if own_ids else len(instance_class)
        self._block = -1
        self._block_ids: dict[int, int] = {}
        self._rows: dict[int, InstanceInfo] = {}
        period = fault_level(options, "renumber") and _RENUMBER_PERIOD / fault_level(options, "renumber")
        if ("renumber", "frame") in options.faults:
            self._period = 1
        elif period:
            self._period = max(1, round(period))
        else:
            self._period = options.frames if own_ids else 0
        missing = round(min(1.0, _MISSING * fault_level(options, "missing")) * options.frames)
        self._missing = set(stream(options.seed, "missing").permutation(options.frames)[:missing].tolist())

    def apply(self, index: int, instances: _Labels) -> tuple[_Labels, _Labels] | None:
        """The given instance and class images of a frame; None if the frame has no masks.

        Raises:
            S3DError: more ids are needed than a uint16 image can hold.
        """
        if index in self._missing:
            return None
        rng = {
            name: stream(self._options.seed, name, index + self._salt)
            for name in ("jitter", "drop", "merge", "split", "renumber")
        }
        labels = instances
        if level := fault_level(self._options, "jitter"):
            labels = jittered(labels, level * _JITTER * labels.shape[1], rng["jitter"])
        if level := fault_level(self._options, "drop"):
            labels = _with_ids(labels, {k: 0 for k in _ids(labels) if rng["drop"].random() < level * _DROP})
        if level := fault_level(self._options, "merge"):
            labels = merged(labels, level * _MERGE, rng["merge"])
        sources = {k: k for k in _ids(labels)}  # which true instance a mask's class comes from
        if level := fault_level(self._options, "split"):
            labels, sources = split(labels, level, rng["split"])
        given = self._given_ids(index, sources, rng["renumber"])
        final = _with_ids(labels, given)
        classes = _with_ids(labels, {k: int(self._class_of[sources[k]]) for k in sources})
        return final, classes

    def table(self) -> tuple[InstanceInfo, ...]:
        """The rows of instances.json: every id that was given, ascending."""
        return tuple(self._rows[k] for k in sorted(self._rows))

    def _given_ids(self, index: int, sources: dict[int, int], rng: np.random.Generator) -> dict[int, int]:
        """The id that each mask of the frame is given; negative labels are parts of split masks and get a fresh one."""
        if self._period and index // self._period != self._block:
            self._block, self._block_ids = index // self._period, {}
        given = {}
        for label in rng.permutation(sorted(sources)).tolist():
            if label < 0:
                given[label] = self._fresh(sources[label])
            elif not self._period:
                given[label] = label
                self._rows.setdefault(label, self._row(label, label, self._names[label - 1]))
            else:
                if label not in self._block_ids:
                    self._block_ids[label] = self._fresh(label)
                given[label] = self._block_ids[label]
        return given

    def _fresh(self, source: int) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        if number > _MAX_ID:
            raise S3DError(
                f"The faults asked for need more than {_MAX_ID} instance ids.",
                why="Instance images hold 16 bits a pixel, and no id is used twice.",
                fix="Ask for fewer frames, or leave out split or renumber=frame.",
            )
        self._rows[number] = self._row(number, source, None)
        return number

    def _row(self, number: int, source: int, name: str | None) -> InstanceInfo:
        class_id = int(self._class_of[source])
        class_name = _CLASS_NAMES[class_id]
        return InstanceInfo(number, class_id, class_name, class_name not in STUFF, 1.0, name)


def _ids(labels: _Labels) -> list[int]:
    return [int(k) for k in np.unique(labels) if k != 0]


def _with_ids(labels: _Labels, new: dict[int, int]) -> _Labels:
    """The labels with some of them replaced, all at once."""
    known, place = np.unique(labels, return_inverse=True)
    return np.array([new.get(int(k), int(k)) for k in known], dtype=np.int32)[place].reshape(labels.shape)


def jittered(labels: _Labels, sigma: float, rng: np.random.Generator) -> _Labels:
    """Labels looked up at a place displaced by smooth noise: per axis of zero mean and standard deviation `sigma` pixels."""
    height, width = labels.shape
    length = _JITTER_LENGTH * width
    noise = rng.normal(size=(2, height, width))
    smooth = np.stack([gaussian_filter(axis, length, mode="wrap") for axis in noise])
    shift = sigma * smooth / smooth.std(axis=(1, 2), keepdims=True)
    rows = np.clip(np.rint(np.arange(height)[:, None] + shift[0]), 0, height - 1).astype(int)
    columns = np.clip(np.rint(np.arange(width) + shift[1]), 0, width - 1).astype(int)
    return labels[rows, columns]


def merged(labels: _Labels, share: float, rng: np.random.Generator) -> _Labels:
    """A share of the masks takes the id of a mask beside it (4-neighbourhood), drawn at random."""
    neighbours = _neighbours(labels)
    root = {k: k for k in _ids(labels)}
    for k in rng.permutation(sorted(root)).tolist():
        if rng.random() >= share or not neighbours.get(k):
            continue
        other = int(rng.choice(sorted(neighbours[k])))
        while root[other] != other:
            other = root[other]
        root[k] = other  # where the other one was merged into k before, other is k and nothing changes
    ends = {}
    for k in root:
        end = k
        while root[end] != end:
            end = root[end]
        ends[k] = end
    return _with_ids(labels, ends)


def _neighbours(labels: _Labels) -> dict[int, set[int]]:
    beside = [np.stack([labels[:, 1:], labels[:, :-1]], -1), np.stack([labels[1:], labels[:-1]], -1)]
    pairs = np.unique(np.concatenate([pair.reshape(-1, 2) for pair in beside]), axis=0)
    found: dict[int, set[int]] = {}
    for a, b in pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(1)].tolist():
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return found


def split(labels: _Labels, level: float, rng: np.random.Generator) -> tuple[_Labels, dict[int, int]]:
    """Each mask cut into 1 + 2 `level` parts (a fraction is drawn), each the pixels nearest to one of as many of its own.

    Returns the labels, in which parts have negative numbers, and the id that each label comes from.
    """
    result = labels.copy()
    sources: dict[int, int] = {}
    for k in _ids(labels):
        pixels = np.argwhere(labels == k)
        parts = min(len(pixels), 1 + int(np.floor(2 * level + rng.random())))
        if parts < 2:
            sources[k] = k
            continue
        seeds = pixels[rng.choice(len(pixels), parts, replace=False)]
        nearest = ((pixels[:, None] - seeds[None]) ** 2).sum(2).argmin(1)
        first = -len(sources) - 1
        result[pixels[:, 0], pixels[:, 1]] = first - nearest
        sources |= {first - part: k for part in range(parts)}
    return result, sources
