"""What a user can choose about where jobs run; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from s3d_splat.errors import S3DError

ExecutorChoice = Literal["local", "ray"]


@dataclass(frozen=True)
class RayOptions:
    """A Ray cluster, or one that is started on this machine while it is needed."""

    address: str | None = None  # of a running cluster, such as "auto" or ray://HOST:10001; None: one is started here
    workers: int | None = None  # processes of a cluster that is started here; None: one for each core
    cpus: float = 1.0  # cores that are kept free for each job
    gpus: float = 0.0  # GPUs that are kept free for each job: 1 for networks
    retries: int = 2  # times that a job begins again whose process died

    def __post_init__(self) -> None:
        if (self.workers is not None and self.workers < 1) or self.cpus <= 0 or self.gpus < 0 or self.retries < 0:
            raise S3DError(
                f"ray cannot work with {self.workers} workers, {self.cpus} cores, {self.gpus} GPUs, {self.retries} retries",
                why="a job needs a process and a part of a core",
                fix="give --ray.workers 1 or more, --ray.cpus above 0, --ray.gpus and --ray.retries 0 or more",
            )
