"""One job after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s3d_splat.console import progress
from s3d_splat.executors.base import Job, Value


class LocalExecutor:
    """Begins a job when the one before it has ended; what a job raises is raised at once."""

    name = "local"

    def run(self, jobs: Sequence[Job[Value]]) -> Iterator[tuple[int, Value]]:
        """See `Executor`."""
        for number, job in enumerate(jobs):
            with progress(job.title) as advance:
                value = job.work(advance)
            yield number, value

    def close(self) -> None:
        """See `Executor`; nothing was started."""
