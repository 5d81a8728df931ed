"""Folders that are written as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3d_splat.io.atomic import PARTIAL, unwritable

LISTING = ".s3d-splat-export"  # in a folder: the format, then every file that was written there, a line each


def written_by(folder: Path, format: str, only: tuple[str, ...] = ()) -> bool:
    """Whether all files in a folder were written by one earlier export of a format: they are listed, or match `only`."""
    if only:
        return all(any(Path(name).match(pattern) for pattern in only) for name in _files(folder))
    try:
        first, *listed = (folder / LISTING).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
    return first == format and set(_files(folder)) <= set(listed)


def list_files(folder: Path, format: str) -> None:
    """Write down which files an export has made, so that the next one may take their place."""
    names = _files(folder)
    (folder / LISTING).write_text("\n".join((format, *names)) + "\n", encoding="utf-8")


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != LISTING)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` to write to; when the block ends well its content takes the place of that of `path`.

    A folder that is there stays the same folder: it may be a mounted disk.

    Raises:
        S3DError: the file system refuses.
    """
    temporary = path.absolute().with_name(f"{PARTIAL}{os.getpid()}-{path.absolute().name}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        for new in temporary.iterdir():
            shutil.move(new, path / new.name)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
