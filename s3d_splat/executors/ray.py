"""Jobs on a Ray cluster: as many at once as it has room for; a job whose process dies begins again elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from s3d_splat.console import progress
from s3d_splat.errors import S3DError
from s3d_splat.executors.base import Job, Value
from s3d_splat.executors.options import RayOptions


class RayExecutor:
    """Sends jobs to processes of a cluster; all of them must see the same files under the same paths."""

    name = "ray"

    def __init__(self, options: RayOptions) -> None:
        """Nothing is started yet.

        Raises:
            S3DError: Ray is not installed.
        """
        if options.address is None and "ray" not in sys.modules:
            # Ray's processes listen on every interface of the machine: let nobody in who lacks the user's token. Ray reads
            # it when it is imported.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody asked for reports to Ray's makers
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise S3DError(
                "Ray is not installed",
                why="--executor ray runs clusters in its processes",
                fix='pip install "s3d-splat[ray]"',
            ) from error
        self._options = options
        self._started = False

    def run(self, jobs: Sequence[Job[Value]]) -> Iterator[tuple[int, Value]]:
        """See `Executor`."""
        import ray

        self._connect()
        chosen = self._options
        remote = ray.remote(num_cpus=chosen.cpus, num_gpus=chosen.gpus, max_retries=chosen.retries)(_worked)
        pending = {remote.remote(job): number for number, job in enumerate(jobs)}
        failed: list[S3DError] = []
        with progress(f"{jobs[0].title} and {len(jobs) - 1} more, on Ray" if jobs else "") as advance:
            while pending:
                (ready, *_), _ = ray.wait(list(pending))
                number = pending.pop(ready)
                error, value = self._outcome(ready, jobs[number].title)
                advance(len(jobs) - len(pending), len(jobs))
                if error is None:
                    yield number, value
                else:
                    failed.append(error)
        if failed:
            raise failed[0]

    def close(self) -> None:
        """See `Executor`; a cluster that was there before stays."""
        import ray

        if self._started:
            ray.shutdown()
            self._started = False

    def _outcome(self, reference: Any, title: str) -> tuple[S3DError | None, Any]:
        import ray

        try:
            told, value = ray.get(reference)
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError) as error:
            return S3DError(
                f"the process of {title!r} died {self._options.retries + 1} times",
                why="it may have run out of memory; the other jobs were not touched by it",
                fix="give the same command again, with fewer --ray.workers or more memory",
            ), error
        return (S3DError(told[0], why=told[1], fix=told[2]) if told else None), value

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        try:
            if self._options.address is None:
                ray.init(num_cpus=self._options.workers, include_dashboard=False, logging_level=logging.ERROR)
            else:
                ray.init(address=self._options.address, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
            raise S3DError(
                f"no Ray cluster could be reached ({error})",
                why=f"--ray.address is {self._options.address or 'not given: one is started on this machine'}",
                fix="check the address (`ray status` on its head), or leave it away",
            ) from error
        self._started = True


def _worked(job: Job[Value]) -> tuple[tuple[str, str, str] | None, Value | None]:
    """On a worker. What a user can mend comes back as a value: Ray would wrap it with a traceback."""
    try:
        return None, job.work(lambda done, total: None)
    except S3DError as error:
        return (error.what, error.why, error.fix), None
