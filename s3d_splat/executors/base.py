"""The seam between jobs that do not depend on each other and whatever runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from s3d_splat.console import Advance

Value = TypeVar("Value")


@dataclass(frozen=True)
class Job(Generic[Value]):
    """Work whose result depends on nothing but what it was made of. It must survive being sent to another process."""

    title: str  # for people
    work: Callable[[Advance], Value]


@runtime_checkable
class Executor(Protocol):
    """Runs jobs. All executors give the same results."""

    name: str

    def run(self, jobs: Sequence[Job[Value]]) -> Iterator[tuple[int, Value]]:
        """The number and the result of each job, as they come.

        A job that fails loses no other: what has been begun is still given, and what the first one raised is raised at the
        end.

        Raises:
            S3DError: a job raised it, or there is nothing to run jobs on.
        """

    def close(self) -> None:
        """End what was started for the jobs."""
