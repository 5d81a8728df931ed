"""What a user can mend, told as `s3d-splat` tells it: nerfstudio's commands would print a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from s3d_splat.errors import S3DError


@contextmanager
def user_errors() -> Iterator[None]:
    """Ends the command with status 2 and the message alone when an S3DError comes out of the block."""
    try:
        yield
    except S3DError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error
