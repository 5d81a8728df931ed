"""A cluster in chunks of frames: each is written when it is done, and the next begins with the masks of its last frame."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.types import ClassInfo, Frame, InstanceInfo, PosedCluster

LAST_ID = 65535  # 16 bits


@dataclass(frozen=True)
class Found:
    """What is known of an object that was found."""

    info: ClassInfo
    score: float


@runtime_checkable
class Follower(Protocol):
    """Follows objects through a chunk of frames; it is made anew for each chunk, so that its memory ends with it."""

    found: dict[int, Found]  # the objects with new ids, filled while `follow` runs

    def follow(
        self, images: Iterable[UInt8[Tensor, "h w 3"]], seed: Int[Tensor, "h w"] | None, next_id: int
    ) -> Iterator[Int[Tensor, "h w"]]:
        """Ids (int32, 0 = none, on the CPU) for every image, in order; it may look some images ahead.

        Args:
            seed: ids in the first image, which go on; None: nothing is known.
            next_id: the first id that is free.
        """


@dataclass(frozen=True)
class _Chunk:
    """A finished chunk, as it is kept."""

    made_from: str
    objects: tuple[InstanceInfo, ...]  # that occur in its frames and are new
    next_id: int


def follow_cluster(
    cluster: PosedCluster,
    work: Path,
    load: Load,
    save: Save,
    start: Callable[[], Follower],
    size: int,
    made_from: object,
    advance: Advance | None = None,
) -> PosedCluster:
    """The cluster with masks in `work`, called like the images with `.png` behind, and one id per object in all its frames.

    A call that was interrupted is taken up after its last finished chunk, and gives what it would have given.

    Args:
        start: makes a follower; not called when every chunk is there already.
        size: frames of a chunk.
        made_from: all that the masks depend on, besides the frames; printed alike by equal values.

    Raises:
        S3DError: an image cannot be read, or a mask cannot be written.
    """
    frames = [replace(frame, instance_path=work / f"{Path(frame.file_path).name}.png") for frame in cluster.frames]
    table: dict[int, InstanceInfo] = {}
    next_id = 1
    for first in range(0, len(frames), size):
        part = frames[first : first + size]
        record = work / f"chunk-{first:06d}.json"
        key = hashlib.sha256(
            repr((made_from, first, next_id, [str(frame.image_path) for frame in part])).encode()
        ).hexdigest()
        chunk = _read(record, key)
        if chunk is None:
            before = frames[first - 1] if first else None
            chunk = _follow(start(), before, part, load, save, next_id, key, _shifted(advance, first, len(frames)))
            _write(record, chunk)
        elif advance is not None:
            for done in range(first, first + len(part)):
                advance(done + 1, len(frames))
        table |= {row.id: row for row in chunk.objects}
        next_id = chunk.next_id
    return replace(cluster, frames=tuple(frames), instances=tuple(table.values()))


def _follow(
    follower: Follower,
    before: Frame | None,
    part: Sequence[Frame],
    load: Load,
    save: Save,
    next_id: int,
    key: str,
    advance: Callable[[int], None],
) -> _Chunk:
    seed = None if before is None else _stored(before, load)[0]
    shown = [*([] if before is None else [before]), *part]
    labels = follower.follow((_image(frame, load) for frame in shown), seed, next_id)
    seen: set[int] = set()
    for number, ids in enumerate(labels, start=len(part) - len(shown)):
        if number < 0:  # the last frame of the chunk before is written already
            continue
        frame = part[number]
        mask = load(_bare(frame)).mask if frame.mask_path is not None else None
        counted = ids if mask is None else torch.where(mask, ids, 0)
        assert frame.instance_path is not None
        save(frame.instance_path, counted)
        seen |= set(counted.unique().tolist())
        advance(number)
    rows = tuple(_row(number, follower.found[number]) for number in sorted(seen & set(follower.found)))
    return _Chunk(key, rows, max([next_id, *(number + 1 for number in follower.found)]))


def _row(number: int, found: Found) -> InstanceInfo:
    info = found.info
    return InstanceInfo(number, info.id, info.name, info.is_thing, score=round(min(1.0, max(0.0, found.score)), 4))


def _stored(frame: Frame, load: Load) -> tuple[Int[Tensor, "h w"] | None, UInt8[Tensor, "h w 3"]]:
    """The ids of a frame as they were written, and its colours as they are stored."""
    seen = load(replace(_bare(frame), instance_path=frame.instance_path))
    return seen.instances, seen.image


def _image(frame: Frame, load: Load) -> UInt8[Tensor, "h w 3"]:
    return load(replace(_bare(frame), mask_path=None)).image


def _bare(frame: Frame) -> Frame:
    """The stored image of a frame, behind its lens, without what belongs to it."""
    return replace(frame, lens=None, depth_path=None, instance_path=None, confidence_path=None)


def _shifted(advance: Advance | None, first: int, total: int) -> Callable[[int], None]:
    return lambda number: None if advance is None else advance(first + number + 1, total)


def _write(path: Path, chunk: _Chunk) -> None:
    temporary = path.with_name(f".partial-{path.name}")
    try:
        temporary.write_text(json.dumps(asdict(chunk)), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path, made_from: str) -> _Chunk | None:
    """The chunk that was written for `made_from`; None if there is none, or it is damaged or was made from other things."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(InstanceInfo(**row) for row in kept["objects"])
        return _Chunk(kept["made_from"], rows, kept["next_id"]) if kept["made_from"] == made_from else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
