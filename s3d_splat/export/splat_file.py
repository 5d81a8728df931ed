"""The `.splat` file of web viewers: 32 bytes a Gaussian, one colour each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3d_splat.console import Advance
from s3d_splat.export.bake import BakedGaussians
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.harmonics import CONSTANT
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.splats import splats_of
from s3d_splat.io.atomic import replacing

_ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("rotation", "u1", 4)])


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `splat`: the format of antimatter15/splat, which has no room for harmonics and instances."""
    splats = splats_of(trained, replace(options, sh_degree=0), advance)
    with replacing(out) as temporary:
        temporary.write_bytes(splat_rows(splats.baked).tobytes())
    return splats.figures | {"objects": len(splats.objects)}


def splat_rows(baked: BakedGaussians) -> np.ndarray:
    """A row each, the largest and most opaque first, so that a viewer shows something while it loads.

    Bytes hold colours and opacity as 255 times their value, and the unit quaternion (wxyz) q as 128 q + 128.
    """
    order = torch.argsort(baked.opacities * baked.log_scales.sum(dim=1).exp(), descending=True, stable=True)
    colours = (0.5 + CONSTANT * baked.coefficients[:, 0]).clamp(0, 1)
    rgba = torch.cat((colours, baked.opacities[:, None]), dim=1)[order] * 255
    rotation = torch.nn.functional.normalize(baked.quaternions, dim=1)[order] * 128 + 128
    rows = np.empty(len(order), _ROW)
    rows["position"] = baked.means[order].cpu().numpy()
    rows["scale"] = baked.log_scales.exp()[order].cpu().numpy()
    rows["rgba"] = rgba.round().cpu().numpy()
    rows["rotation"] = rotation.round().clamp(0, 255).cpu().numpy()
    return rows
