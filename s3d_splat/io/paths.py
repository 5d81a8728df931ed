"""Paths as files write them, and the files below a folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from s3d_splat.errors import S3DError


def normal_path(written: str) -> str:
    """A relative path in one spelling: slashes, also where Windows wrote backslashes, without `.` and `..` in the middle."""
    return posixpath.normpath(written.replace("\\", "/"))


def files_below(folder: Path, without: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """All files below a folder, links followed, in the order of their names; nothing if there is no such folder.

    A link to a folder that it lies in itself is passed over.

    Args:
        without: folders, resolved, that are passed over.

    Raises:
        S3DError: a folder cannot be read.
    """
    if folder.is_dir():
        yield from _files_below(folder, without | {folder.resolve()})


def _files_below(folder: Path, closed: frozenset[Path]) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise S3DError(
            f"{folder} cannot be read", why=error.strerror or str(error), fix="check that you may read the folder"
        ) from error
    for path in (folder / name for name in names):
        if path.is_file():
            yield path
        elif path.is_dir() and (resolved := path.resolve()) not in closed:
            yield from _files_below(path, closed | {resolved})
