"""The table of rasterizers, and the choice among them."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable

import torch

from s3d_splat.errors import S3DError
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.options import RasterOptions

_LOG = logging.getLogger("s3d_splat")


def make_rasterizer(options: RasterOptions) -> Rasterizer:
    """The rasterizer that the options name, or the fastest one that works here; says which in one line of the log.

    Raises:
        S3DError: the named rasterizer cannot work on this machine.
    """
    name = _fastest() if options.backend == "auto" else options.backend
    rasterizer = RASTERIZERS[name]()
    _LOG.info("Rasterizer: %s on %s.", rasterizer.name, rasterizer.device)
    return rasterizer


def _fastest() -> str:
    from s3d_splat.native.library import kernels

    if torch.cuda.is_available() and importlib.util.find_spec("gsplat") is not None:
        return "gsplat"
    return "cpu" if kernels() is not None else "reference"


def _reference() -> Rasterizer:
    from s3d_splat.raster.reference import ReferenceRasterizer

    return ReferenceRasterizer()


def _cpu() -> Rasterizer:
    from s3d_splat.native.library import kernels
    from s3d_splat.raster.cpu import CpuRasterizer

    if kernels() is None:
        raise S3DError(
            "The rasterizer 'cpu' is not available.",
            why="its kernels were not compiled when s3d-splat was installed, or do not fit this machine",
            fix="install g++ and reinstall s3d-splat, or choose the rasterizer 'reference' (slow)",
        )
    return CpuRasterizer()


def _gsplat() -> Rasterizer:
    if not torch.cuda.is_available():
        raise S3DError(
            "The rasterizer 'gsplat' is not available.",
            why="torch sees no CUDA device on this machine",
            fix="choose the rasterizer 'cpu', or install a CUDA build of torch on a machine with an NVIDIA card",
        )
    if importlib.util.find_spec("gsplat") is None:
        raise S3DError(
            "The rasterizer 'gsplat' is not available.",
            why="the package gsplat is not installed",
            fix="pip install 's3d-splat[gsplat]', or choose the rasterizer 'cpu'",
        )
    from s3d_splat.raster.gsplat import GsplatRasterizer

    return GsplatRasterizer()


RASTERIZERS: dict[str, Callable[[], Rasterizer]] = {"reference": _reference, "cpu": _cpu, "gsplat": _gsplat}
