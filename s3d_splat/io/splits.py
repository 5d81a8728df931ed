"""Which frames train and which test, as `transforms.json` says it in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.paths import normal_path
from s3d_splat.types import Split

TEST_EVERY, TEST_OFFSET = 8, 4  # the middle of every eight frames: not the ends of the path, where a view extrapolates
_SPLITS: dict[str, Split] = {"train": "train", "test": "test", "val": "test"}


def frame_splits(meta: Mapping[str, Any], names: Sequence[str], path: Path) -> dict[str, Split]:
    """The split of every frame, by `file_path`.

    The `split` of a frame and train_filenames, val_filenames, test_filenames (val counts as test) may each be missing. If
    all are, frames 4, 12, 20 ... are the test frames.

    Raises:
        S3DError: the two contradict each other, name unknown frames or splits, leave a frame out, or
            leave no frame to train.
    """
    rows = meta["frames"]
    given = [(name, row["split"]) for name, row in zip(names, rows, strict=True) if row.get("split") is not None]
    by_row = {name: _row_split(name, written, path) for name, written in given}
    by_list = _listed_splits(meta, names, path)
    if not by_row and not by_list:
        splits: dict[str, Split] = {name: _default_split(index) for index, name in enumerate(names)}
    else:
        splits = {name: _agreed(name, by_row.get(name), by_list.get(name), path) for name in names}
    if "train" not in splits.values():
        raise S3DError(
            f"{path} has no train frames",
            why="the scene is learned from train frames alone",
            fix='give some frames "split": "train", or name them in train_filenames',
        )
    return splits


def _default_split(index: int) -> Split:
    return "test" if index % TEST_EVERY == TEST_OFFSET else "train"


def _row_split(name: str, written: Any, path: Path) -> Split:
    if not isinstance(written, str) or written not in _SPLITS:
        raise S3DError(f"{path}: {name} has split {written!r}", why="nobody knows its use", fix='write "train" or "test"')
    return _SPLITS[written]


def _listed_splits(meta: Mapping[str, Any], names: Sequence[str], path: Path) -> dict[str, Split]:
    known = {normal_path(name): name for name in names}
    listed: dict[str, Split] = {}
    for written, split in _SPLITS.items():
        key = f"{written}_filenames"
        entries = meta.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise S3DError(
                f"{path}: {key} is no list of names", why="it says which frames are which", fix="correct the list"
            )
        for entry in entries:
            name = known.get(normal_path(entry))
            if name is None:
                raise S3DError(f"{path}: {key} names {entry}", why="no frame has that file_path", fix="correct the list")
            if listed.setdefault(name, split) != split:
                raise _contradiction(name, "it is in train_filenames and among the test or val filenames", path)
    return listed


def _agreed(name: str, by_row: Split | None, by_list: Split | None, path: Path) -> Split:
    if by_row is not None and by_list is not None and by_row != by_list:
        raise _contradiction(name, f'its frame says "{by_row}", the lists of file names say "{by_list}"', path)
    split = by_row or by_list
    if split is None:
        raise S3DError(
            f"{path}: {name} has no split",
            why="other frames have one, and a test frame must never be trained on by accident",
            fix='give the frame "split": "train" or "test", or name it in the lists of file names',
        )
    return split


def _contradiction(name: str, how: str, path: Path) -> S3DError:
    return S3DError(
        f"{path}: the split of {name} contradicts itself: {how}",
        why="a frame that is trained on says nothing as a test frame",
        fix="make `split` and train_filenames, val_filenames, test_filenames agree, or leave one of them out",
    )
