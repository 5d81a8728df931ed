"""What a user can choose about rasterization; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Backend = Literal["auto", "reference", "cpu", "gsplat"]


@dataclass(frozen=True)
class RasterOptions:
    """Which rasterizer renders."""

    backend: Backend = "auto"
    """auto: gsplat where there is a CUDA device and gsplat, else the compiled CPU kernels, else reference (slow)."""
