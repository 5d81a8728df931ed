"""Folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3d_splat.io.atomic import PARTIAL, unwritable


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` to write to; when the block ends well it takes the place of `path`.

    Raises:
        S3DError: the file system refuses; `path` is then as it was before.
    """
    temporary = path.absolute().with_name(f"{PARTIAL}{os.getpid()}-{path.absolute().name}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
