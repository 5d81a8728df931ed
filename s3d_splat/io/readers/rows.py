"""Rows of `transforms.json` and `capture.json` as views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opencv_from_opengl
from s3d_splat.io.poses import read_pose
from s3d_splat.types import Split

_SPLITS: dict[Any, Split] = {"train": "train", "val": "test", "test": "test"}


def row_pose(row: Mapping[str, Any], where: str) -> Float[Tensor, "4 4"] | None:
    """`transform_matrix` with OpenCV's axes, float64; None where the row has none.

    Raises:
        S3DError: it is not finite or not rigid.
    """
    if row.get("transform_matrix") is None:
        return None
    return opencv_from_opengl(torch.from_numpy(read_pose(row["transform_matrix"], where)))


def row_split(row: Mapping[str, Any], where: str) -> Split | None:
    """What the row says of its use.

    Raises:
        S3DError: something else than train, val or test.
    """
    written = row.get("split")
    if written is None:
        return None
    if not isinstance(written, str) or written not in _SPLITS:
        raise S3DError(f"{where}: split is {written!r}", why="nobody knows its use", fix='write "train" or "test"')
    return _SPLITS[written]
