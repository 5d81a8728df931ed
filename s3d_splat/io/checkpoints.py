"""Checkpoints: tensors and plain values, loaded without unpickling; a kill during a write never costs the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import PARTIAL, replacing

_NAME = re.compile(r"step-(\d+)\.pt")
_MARK = "s3d-splat checkpoint 1"
_PLAIN = (int, float, str, bytes, bool, type(None))  # exactly: a NumPy float is a float, but is pickled as an object
KEPT = 2


def checkpoint_path(folder: Path, step: int) -> Path:
    """`folder/step-N.pt`."""
    return folder / f"step-{step}.pt"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint and remove older ones of the folder beyond the last two (and what killed writes left behind).

    Args:
        state: tensors, numbers, strings, None, and dicts, lists and tuples of those.

    Raises:
        TypeError: something else is in `state`; it could not be loaded again.
        S3DError: the file system refuses.
    """
    _check_plain(state, "state")
    with replacing(path) as temporary:
        try:
            torch.save({"mark": _MARK, "state": dict(state)}, temporary)
        except RuntimeError as error:  # torch's own writer says so when the disk is full
            raise OSError(str(error).splitlines()[0]) from error
    for leftover in path.parent.glob(f"{PARTIAL}*-step-*.pt"):
        leftover.unlink(missing_ok=True)
    for old in _by_step(path.parent)[:-KEPT]:
        if old != path:
            old.unlink(missing_ok=True)


def load_checkpoint(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state of a checkpoint, with its tensors on `device`.

    Raises:
        S3DError: missing, cut short, or not written by `save_checkpoint`.
    """
    try:
        value = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise S3DError(f"{path} does not exist", why="it holds the trained model", fix="train first") from None
    except Exception as error:  # torch.load raises nearly anything for a broken or foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _unreadable(path, reason) from error
    if not isinstance(value, dict) or value.get("mark") != _MARK or not isinstance(value.get("state"), dict):
        raise _unreadable(path, "it was not written by this version of s3d-splat")
    return value["state"]


def latest_checkpoint(folder: Path) -> Path | None:
    """The readable checkpoint of the highest step, or None if there is none.

    Unfinished writes are not looked at, and a damaged file is passed over for the one before it.

    Raises:
        S3DError: checkpoints are there, but none can be read.
    """
    candidates = _by_step(folder)
    for path in reversed(candidates):
        try:
            load_checkpoint(path)
        except S3DError as error:
            damaged = error
        else:
            return path
    if candidates:
        raise damaged
    return None


def _by_step(folder: Path) -> list[Path]:
    numbered = [(int(match[1]), path) for path in folder.glob("step-*.pt") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(numbered)]


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_plain(key, f"{where} (key)")
            _check_plain(inner, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check_plain(inner, f"{where}[{index}]")
    elif not isinstance(value, torch.Tensor) and type(value) not in _PLAIN:
        raise TypeError(f"{where} is a {type(value).__name__}; a checkpoint holds tensors and plain values alone")


def _unreadable(path: Path, reason: str) -> S3DError:
    return S3DError(
        f"{path} is no readable checkpoint",
        why=reason,
        fix="remove the file and resume from the one before it, or train again",
    )
