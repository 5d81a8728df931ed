"""Finds the compiled kernels and checks everything that goes into them."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

INTERFACE_VERSION = 3
_LOG = logging.getLogger("s3d_splat")
_outside_serial_torch: int | None = None  # torch's threads before `serial_torch`
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_FAILURES = {
    1: (MemoryError, "the rasterizer ran out of memory"),
    2: (MemoryError, "the Gaussians cover more than 2^31 tiles of the image together: they are too many or too large"),
    3: (ValueError, "the lists of tiles were made for another number type"),
    4: (ValueError, "an index is out of range"),
}


@cache
def kernels() -> ctypes.CDLL | None:
    """The compiled kernels, or None where there are none; why is logged once, in one sentence.

    The environment variable S3D_SPLAT_KERNELS names another folder with a build of them, such as one for another processor.
    """
    folder = Path(os.environ.get("S3D_SPLAT_KERNELS", Path(__file__).parent))
    found = sorted(folder.glob("_kernels*.so"))
    if not found:
        _slow("no compiled kernels were found")
        return None
    try:
        library = ctypes.CDLL(str(found[-1]))
        version = ctypes.c_int.in_dll(library, "s3d_interface_version").value
        wanted = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, "s3d_instruction_set"))).decode()
    except (OSError, ValueError) as error:
        _slow(f"the compiled kernels cannot be loaded ({error})")
        return None
    missing = set(wanted.split()) - _processor_flags()
    if version != INTERFACE_VERSION:
        _slow("the compiled kernels belong to another version of this package")
        return None
    if missing:
        _slow(f"the compiled kernels need {', '.join(sorted(missing))}, which this processor lacks")
        return None
    _keep_freed_memory()
    for suffix in _SUFFIX.values():
        for name in ("s3d_bins_create", "s3d_project", "s3d_project_backward", "s3d_forward", "s3d_backward"):
            getattr(library, f"{name}_{suffix}").restype = ctypes.c_int
    library.s3d_bins_pairs.restype = ctypes.c_int64
    library.s3d_bins_release.restype = None
    return library


def call(name: str, dtype: torch.dtype, *arguments: Any) -> None:
    """Calls `name` for this number type.

    Raises:
        RuntimeError: there are no compiled kernels (`kernels()` is None).
        MemoryError, ValueError: what the kernel reported.
    """
    library = kernels()
    if library is None:
        raise RuntimeError("the compiled kernels are not available: use the rasterizer 'reference'")
    status = getattr(library, f"{name}_{_SUFFIX[dtype]}")(*arguments)
    if status:
        kind, message = _FAILURES.get(status, (RuntimeError, f"{name} failed with status {status}"))
        raise kind(message)


def array(tensor: Tensor, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> ctypes.c_void_p:
    """The address of a tensor that is what the kernel expects.

    Raises:
        ValueError, TypeError: wrong shape, number type, device or memory layout; `name` is part of the message.
    """
    if not tensor.is_cpu:
        raise ValueError(f"{name} is on {tensor.device}, but the cpu kernels take tensors in main memory")
    if tensor.dtype != dtype:
        raise TypeError(f"{name} is {tensor.dtype}, expected {dtype}")
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {tuple(shape)}")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} is not contiguous")
    return ctypes.c_void_p(tensor.data_ptr())


def floating(dtype: torch.dtype) -> torch.dtype:
    """The same type, if there are kernels for it.

    Raises:
        TypeError: neither float32 nor float64.
    """
    if dtype not in _SUFFIX:
        raise TypeError(f"the cpu kernels work in float32 or float64, not in {dtype}")
    return dtype


def runs_native(tensor: Tensor) -> bool:
    """Are there kernels for tensors like this one?"""
    return tensor.device.type == "cpu" and tensor.dtype in _SUFFIX and kernels() is not None


def threads() -> int:
    """Threads for the kernels: the cores this process may use, or fewer if torch was told to use fewer."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, _outside_serial_torch or torch.get_num_threads()))


@contextmanager
def serial_torch(wanted: bool = True) -> Iterator[None]:
    """Inside, torch works on one thread and the kernels on as many as before.

    A step of training is some two hundred small operations of torch: to wake a second thread for one takes longer than
    the half that it would do.
    """
    global _outside_serial_torch
    before, outer = torch.get_num_threads(), _outside_serial_torch
    if not wanted or before == 1:
        yield
        return
    _outside_serial_torch = outer or before
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _outside_serial_torch = outer


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: every step asks for the same sizes again, and new pages cost more than filling them."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):  # not glibc, or the user decides
        return
    mmap_threshold, trim_threshold = -3, -1  # their numbers in malloc.h
    mallopt(mmap_threshold, 32 * 2**20)
    mallopt(trim_threshold, 512 * 2**20)


def _slow(reason: str) -> None:
    _LOG.warning(
        "Rendering takes the slow path (rasterizer 'reference') because %s; install g++ and reinstall s3d-splat to mend it.",
        reason,
    )


def _processor_flags() -> set[str]:
    """The processor's instruction sets, as Linux names them; where that is unknown, all that kernels may ask for."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {"avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"}
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
