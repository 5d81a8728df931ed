"""Gaussians as the PLY that splat viewers open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from s3d_splat.io.atomic import replacing
from s3d_splat.types import Gaussians

_C0 = 0.28209479177387814  # the constant spherical harmonic: colour = 1/2 + C0 * f_dc
_EDGE = 1e-6  # of opacities 0 and 1, whose logits no viewer could read


def write_gaussian_ply(path: Path, gaussians: Gaussians) -> None:
    """Write x y z, nx ny nz (0), f_dc_0..2 (one colour), opacity (logit), scale_0..2 (log) and rot_0..3 (wxyz)."""
    from plyfile import PlyData, PlyElement

    opacity = gaussians.opacities.detach().double().clamp(_EDGE, 1 - _EDGE)
    quaternions = torch.nn.functional.normalize(gaussians.quaternions.detach().double(), dim=1)
    blocks = (
        ("xyz", gaussians.means),
        (("nx", "ny", "nz"), torch.zeros_like(gaussians.means)),
        (("f_dc_0", "f_dc_1", "f_dc_2"), (gaussians.colours.detach().double() - 0.5) / _C0),
        (("opacity",), torch.logit(opacity)[:, None]),
        (("scale_0", "scale_1", "scale_2"), gaussians.log_scales),
        (("rot_0", "rot_1", "rot_2", "rot_3"), quaternions),
    )
    names = [name for own, _ in blocks for name in own]
    vertices = np.empty(len(gaussians.means), dtype=[(name, "f4") for name in names])
    for own, values in blocks:
        for column, name in enumerate(own):
            vertices[name] = values[:, column].detach().cpu().numpy()
    with replacing(path) as temporary:
        PlyData([PlyElement.describe(vertices, "vertex")]).write(str(temporary))
