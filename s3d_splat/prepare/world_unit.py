"""Is the world in metres? Depth is written in whole millimetres of 16 bits, which another unit would not fit into."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import torch

from s3d_splat.alignment.pixels import fused_depth
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.types import SparseDepth

_LOOKED_AT = 8  # images
_NEAREST, _FARTHEST = 0.02, 65.535  # median depths that millimetres of 16 bits can tell, in metres
_USUAL = 2.0  # metres from a camera to what it shows, about: the unit that is meant is a power of ten away


def fits_millimetres(sparse: Sequence[SparseDepth]) -> bool:
    """Whether depth like that of these points can be written in whole millimetres of 16 bits."""
    return _NEAREST <= float(torch.cat([points.depth for points in sparse]).median()) <= _FARTHEST


def check_unit(frames: Sequence[WorldFrame]) -> None:
    """Check that the depth of an aligned world can be written in millimetres; looks at some train images.

    Raises:
        S3DError: half of it would be lost, because it is too far away or too near.
    """
    dense = [frame for frame in frames if any(source.frame.depth_path is not None for source in frame.sources)]
    train = [frame for frame in dense if frame.sources[0].frame.split == "train"]
    depths = (fused_depth(frame)[0] for frame in train[:: math.ceil(len(train) / _LOOKED_AT) or 1])
    medians = [float(known.median()) for depth in depths if len(known := depth[depth > 0])]
    middle = statistics.median(medians) if medians else _USUAL
    if _NEAREST <= middle <= _FARTHEST:
        return
    factor = 10.0 ** round(math.log10(_USUAL / middle))
    raise S3DError(
        f"depth and poses are not in metres: half of the depth is {'over' if middle > 1 else 'under'} {middle:.3g}",
        why="a scene holds depth in whole millimetres up to 65.535 m: most of this depth would be lost",
        fix="multiply depth_scale (raw capture) or depth_unit_scale_factor (nerfstudio), and the positions in all poses,"
        f" by about {factor:g}",
    )
