"""Time, memory and the machine's own speed."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best_ms(run: Callable[[], Any], repeats: int, device: torch.device) -> float:
    """The shortest of some runs after a first one, milliseconds: others on the machine can only make it longer."""
    times = []
    for _ in range(repeats + 1):
        wait_for(device)
        start = time.perf_counter()
        run()
        wait_for(device)
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[1:])


def matmul_gflops(repeats: int, device: torch.device) -> float:
    """float32 product of two square matrices of 2048, GFLOP/s: the yardstick of a machine."""
    size = 2048
    a, b = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    return 2 * size**3 / best_ms(lambda: a @ b, repeats, device) / 1e6


def peak_memory_mb(device: torch.device) -> float:
    """The most memory that this process has held so far, on the device if that is a GPU; MB of 2^20 bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 2**10 if sys.platform != "darwin" else kilobytes / 2**20
