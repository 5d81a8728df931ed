"""What can be chosen about a benchmark; plain values, so that a command line can show them without loading torch."""

from __future__ import annotations

from dataclasses import dataclass

from s3d_splat.raster.options import Backend


@dataclass(frozen=True)
class RasterBench:
    """The fixed scene and how it is measured."""

    width: int = 640  # pixels
    height: int = 480  # pixels
    gaussians: int = 100_000
    channels: int = 3  # composited at once
    backend: Backend = "auto"
    threads: int = 0  # 0: as many as there are cores
    repeats: int = 7  # the shortest of so many runs counts
    seed: int = 0
