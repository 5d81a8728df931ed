"""The table of executors."""

from __future__ import annotations

from collections.abc import Callable

from s3d_splat.executors.base import Executor
from s3d_splat.executors.options import ExecutorChoice, RayOptions


def make_executor(name: ExecutorChoice, ray: RayOptions) -> Executor:
    """The executor of a name. Raises S3DError: its package is missing."""
    return EXECUTORS[name](ray)


def _local(ray: RayOptions) -> Executor:
    from s3d_splat.executors.local import LocalExecutor

    return LocalExecutor()


def _ray(ray: RayOptions) -> Executor:
    from s3d_splat.executors.ray import RayExecutor

    return RayExecutor(ray)


EXECUTORS: dict[str, Callable[[RayOptions], Executor]] = {"local": _local, "ray": _ray}
