"""Gaussians as the PLY that splat viewers open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.export.bake import BakedGaussians, with_one_colour
from s3d_splat.io.atomic import replacing
from s3d_splat.types import Gaussians

_EDGE = 1e-6  # of opacities 0 and 1, whose logits no viewer could read


def write_gaussian_ply(path: Path, gaussians: Gaussians) -> None:
    """Write Gaussians with one colour each, see `write_baked_ply`."""
    write_baked_ply(path, with_one_colour(gaussians, gaussians.colours.detach().double()))


def write_baked_ply(path: Path, baked: BakedGaussians, instance: Int[Tensor, " n"] | None = None) -> None:
    """Write the properties of 3D Gaussian Splatting (Kerbl et al., 2023), all float, and `instance` (int, 0 = none).

    x y z, nx ny nz (0), f_dc_0..2, f_rest_0.. (all harmonics but the constant: those of red, then green, then blue), opacity
    (logit), scale_0..2 (log) and rot_0..3 (wxyz, of unit length).
    """
    from plyfile import PlyData, PlyElement

    columns = ply_columns(baked) if instance is None else ply_columns(baked) | {"instance": _array(instance, np.int32)}
    vertices = np.empty(len(baked.means), dtype=[(name, values.dtype.str) for name, values in columns.items()])
    for name, values in columns.items():
        vertices[name] = values
    with replacing(path) as temporary:
        PlyData([PlyElement.describe(vertices, "vertex")]).write(str(temporary))


def ply_columns(baked: BakedGaussians) -> dict[str, np.ndarray]:
    """The properties by name, in the order of the file."""
    opacity = baked.opacities.detach().double().clamp(_EDGE, 1 - _EDGE)
    quaternions = torch.nn.functional.normalize(baked.quaternions.detach().double(), dim=1)
    rest = baked.coefficients[:, 1:].transpose(1, 2).flatten(1)
    blocks = (
        (("x", "y", "z"), baked.means),
        (("nx", "ny", "nz"), torch.zeros_like(baked.means)),
        (("f_dc_0", "f_dc_1", "f_dc_2"), baked.coefficients[:, 0]),
        (tuple(f"f_rest_{i}" for i in range(rest.shape[1])), rest),
        (("opacity",), torch.logit(opacity)[:, None]),
        (("scale_0", "scale_1", "scale_2"), baked.log_scales),
        (("rot_0", "rot_1", "rot_2", "rot_3"), quaternions),
    )
    return {name: _array(values[:, i], np.float32) for names, values in blocks for i, name in enumerate(names)}


def _array(values: Tensor, dtype: type[np.generic]) -> np.ndarray:
    return values.detach().cpu().numpy().astype(dtype)
