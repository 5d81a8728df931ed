"""Files that a reader writes anew, so that all that comes after it sees standard ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from s3d_splat.io.readers.base import Advance

_WORKERS = 2


def run_all(jobs: Sequence[Callable[[], None]], advance: Advance | None) -> None:
    """Run the jobs a few at a time; the first that fails is the one the user hears of."""
    with ThreadPoolExecutor(_WORKERS) as workers:
        for done, _ in enumerate(workers.map(lambda job: job(), jobs)):
            if advance is not None:
                advance(done + 1, len(jobs))
