"""Text files with one pose in every line, as renderers of synthetic rooms write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.rgbd import read_matrix


def read_trajectory(path: Path) -> Float[np.ndarray, "n 4 4"]:
    """The matrices of a file, 16 numbers each, by rows; not yet checked.

    Raises:
        S3DError: it is missing, or holds something else.
    """
    rows = read_matrix(path, str(path.parent))
    if rows.size == 0 or rows.size % 16:
        raise S3DError(
            f"{path} is no list of poses", why=f"it has {rows.size} numbers, a pose has 16", fix="download it again"
        )
    return rows.reshape(-1, 4, 4)


def pose_of(image: Path, poses: Float[np.ndarray, "n 4 4"], path: Path) -> Float[Tensor, "4 4"]:
    """The pose in the line of the number that ends the name of an image, counted from 0.

    Raises:
        S3DError: the file has no such line, or it is no pose.
    """
    number = frame_number(image)
    if number >= len(poses):
        raise S3DError(
            f"{image} has no pose", why=f"{path} has {len(poses)} lines", fix="remove the image, or download the poses again"
        )
    return torch.from_numpy(read_pose(poses[number], f"{path}: line {number + 1}", called="camera to world"))


def frame_number(image: Path) -> int:
    """The number that ends the name of an image.

    Raises:
        S3DError: it ends in none.
    """
    found = re.search(r"(\d+)$", image.stem)
    if found is None:
        raise S3DError(
            f"{image} ends in no number", why="its number is the line of its pose", fix="give it the name that it had"
        )
    return int(found.group(1))
