"""What a reader of captures is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.types import Capture

Advance = Callable[[int, int], None]  # steps done, steps in all


@runtime_checkable
class CaptureReader(Protocol):
    """Knows one layout of folders, or one type of file.

    What comes out of `read` is checked: every file exists, decodes, and has the size of its image; poses are rigid; cameras
    can exist; masks hold ids of their table alone; no two images have one name.
    """

    name: str  # of the format, as `--format` takes it

    def recognises(self, folder: Path) -> bool:
        """Whether the folder (or file) looks like this layout; a quick look at names, no file is opened."""
        ...

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the capture.

        Args:
            work: a folder for files that must be converted or unpacked first (made when there are any). Files are written
                to it whole or not at all; those that an interrupted call with the same arguments left are taken as they are.
            advance: called with (steps done, steps in all) of each pass over the files.
            choice: how many of the images are taken; the others are passed over before anything is converted.

        Raises:
            S3DError: anything is missing, damaged or inconsistent; the message names the file.
        """
        ...
