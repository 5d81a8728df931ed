"""Files that are there whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from s3d_splat.errors import S3DError

PARTIAL = ".partial-"  # what the names of unfinished files and folders begin with


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` (same suffix) to write to; when the block ends well it takes the place of `path`.

    Args:
        durable: wait until the content is on the disk; not worth its time for pictures, which can be made again.

    Raises:
        S3DError: the file system refuses (disk full, no permission); `path` is then as it was before.
    """
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())  # without it a power cut can leave the new name with no content
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8; bytes of file names that are none (Python's surrogates) are written as escapes."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write plain Python values as indented JSON; NaN and infinity are refused with ValueError, they are no JSON."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as a compressed npz without pickles.

    NumPy's own function leaves its archive open when the disk is full, and a traceback follows the message.

    Raises:
        S3DError: the file system refuses.
        ValueError: an array holds Python objects.
    """
    with replacing(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def unwritable(path: Path, error: OSError) -> S3DError:
    """The user's error for a file or folder that the file system refuses to write."""
    return S3DError(
        f"cannot write {path}",
        why=error.strerror or str(error),
        fix="free disk space or choose another folder, and check that you may write there",
    )
