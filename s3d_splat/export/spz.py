"""Niantic's compressed `.spz`, through gsply."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.ply import ply_columns
from s3d_splat.export.splats import splats_of
from s3d_splat.io.atomic import replacing

_BITS = 23  # of a coordinate, without its sign
_SCALES, _ROTATIONS = ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3")
_FINEST = 12  # bits after the point, which readers expect: a quarter of a millimetre


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `spz`: version 3 (gzip); about a tenth of the PLY; axes as they are in the scene, no instances.

    Raises:
        S3DError: gsply is not installed, or the scene is too large for the format.
    """
    try:
        from gsply import GSData
        from gsply.spz import write_spz
    except ImportError as error:
        raise S3DError("spz needs the package gsply", why=str(error), fix='pip install "s3d-splat[spz]"') from error
    splats = splats_of(trained, options, advance)
    columns = ply_columns(splats.baked)
    means, scales, quaternions = (_block(columns, names) for names in (("x", "y", "z"), _SCALES, _ROTATIONS))
    harmonics = splats.baked.coefficients.cpu().float().numpy()
    data = GSData(means, scales, quaternions, columns["opacity"], harmonics[:, 0], harmonics[:, 1:])
    bits = min(_FINEST, _BITS - 1 - math.ceil(math.log2(max(float(np.abs(means).max()), 1e-9))))
    if bits < 1:
        raise S3DError("the scene is too large for spz", why="it has 24 bits for a coordinate", fix="use --format ply")
    with replacing(out) as temporary:
        write_spz(temporary, data, fractional_bits=bits)
    return splats.figures | {"objects": len(splats.objects), "position_step": 2.0**-bits}


def _block(columns: Mapping[str, np.ndarray], names: Sequence[str]) -> Float[np.ndarray, "n k"]:
    return np.stack([columns[name] for name in names], axis=-1)
