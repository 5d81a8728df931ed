"""Folders that are written as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3d_splat.io.atomic import PARTIAL, unwritable


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
