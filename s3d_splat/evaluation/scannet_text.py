"""The text files of the ScanNet instance benchmark.

Truth: one integer a point, `class * 1000 + instance`, 0 = void. Prediction: a line `mask_file class score` an instance, the
path relative to that file; a mask file has one number a point, 0 outside and 1 inside. Masks may share points.
"""

from __future__ import annotations

import math
import posixpath
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from s3d_splat.errors import S3DError
from s3d_splat.metrics.overlaps import PointLabels, PointMasks

_INSTANCES = 1000  # of a class
_DIGITS, _SPACES = np.frombuffer(b"01", np.uint8), np.frombuffer(b" \t\r\n", np.uint8)


def read_truth(path: Path) -> PointLabels:
    """Read a truth. An instance's id is its whole number, which no other class shares; instance 0 of a class is none.

    Raises:
        S3DError: unreadable, or something else than whole numbers from 0 up.
    """
    codes = _whole_numbers(path)
    return PointLabels(np.where(codes % _INSTANCES > 0, codes, 0), codes // _INSTANCES)


def read_classes(path: Path) -> Int[np.ndarray, " n"]:
    """Read the classes of a truth.

    Raises:
        S3DError: as `read_truth`.
    """
    return _whole_numbers(path) // _INSTANCES


def read_prediction(path: Path, points: int) -> PointMasks:
    """Read a prediction of a scene with so many points, and its masks. A file without a line is valid.

    Raises:
        S3DError: a line, mask file or number is not as it should be, a mask of another length, or a path that leaves the
            folder of the file.
    """
    lines = [line for line in _content(path).decode("utf-8", errors="replace").splitlines() if line.strip()]
    masks = np.zeros((len(lines), points), bool)
    classes, scores = np.zeros(len(lines), np.int64), np.zeros(len(lines))
    for row, line in enumerate(lines):
        name, classes[row], scores[row] = _parsed(path, row, line)
        mask_path = _inside(path, name)
        mask = read_mask(mask_path)
        if len(mask) != points:
            raise S3DError(
                f"{mask_path} has {len(mask)} points, but the truth has {points}",
                why="row i of both must be the same point",
                fix="write one number for every point of the truth, in its order",
            )
        masks[row] = mask
    return PointMasks(masks, classes, scores)


def read_mask(path: Path) -> Bool[np.ndarray, " n"]:
    """Read a mask file; as in the benchmark, every number but 0 is inside.

    Raises:
        S3DError: unreadable, or something else than whole numbers.
    """
    data = np.frombuffer(_content(path), np.uint8)
    is_digit = np.isin(data, _DIGITS)
    if (is_digit | np.isin(data, _SPACES)).all() and not (is_digit[1:] & is_digit[:-1]).any():
        return data[is_digit] == ord("1")  # a hundred times as fast as reading numbers
    return _whole_numbers(path) != 0


def _parsed(path: Path, row: int, line: str) -> tuple[str, int, float]:
    parts = line.strip().rsplit(maxsplit=2)
    try:
        name, label, score = parts[0], int(parts[1]), float(parts[2])
    except (IndexError, ValueError):
        name, label, score = "", 0, math.nan
    if not math.isfinite(score) or label < 0:
        raise S3DError(
            f"{path}: instance {row + 1} is {line.strip()[:80]!r}",
            why="a prediction has a line `mask_file class score` for every instance",
            fix="write a line such as masks/0001.txt 5 0.87; labels of points go into an npz",
        )
    return name, label, score


def _inside(path: Path, name: str) -> Path:
    written = posixpath.normpath(name.replace("\\", "/"))
    if written.startswith("/") or written[1:2] == ":" or written.split("/")[0] == ".." or "\0" in written:
        raise S3DError(
            f"{path}: the mask file {name!r} lies outside {path.parent}",
            why="mask files are named relative to the file that lists them, in its folder or below",
            fix="put the masks beside it and name them like masks/0001.txt",
        )
    return path.parent / written


def _whole_numbers(path: Path) -> Int[np.ndarray, " n"]:
    tokens = _content(path).split()
    try:
        values = np.array(tokens, dtype=np.bytes_).astype(np.int64) if tokens else np.zeros(0, np.int64)
    except (ValueError, OverflowError) as error:
        raise _not_whole(path, str(error)) from error
    if values.size and (values.min() < 0 or values.max() > np.iinfo(np.int32).max):
        raise _not_whole(path, f"it holds {values.min()}..{values.max()}")
    return values


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise S3DError(
            f"{path} cannot be read", why=error.strerror or str(error), fix="check the path and write the file again"
        ) from error


def _not_whole(path: Path, why: str) -> S3DError:
    return S3DError(
        f"{path} is no list of whole numbers from 0 up",
        why=f"labels and masks have one a point: {why}",
        fix="write one number a line, for every point of the scene",
    )
