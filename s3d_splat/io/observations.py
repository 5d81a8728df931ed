"""The pixels of one frame, undistorted: the one way in which images, depths and masks enter training and evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt16
from torch import Tensor

from s3d_splat.geometry.lenses import undistort
from s3d_splat.io.images import Content, check_image_file, read_colours, read_counts
from s3d_splat.types import Frame, Observation


def load_observation(frame: Frame) -> Observation:
    """Read the pixels of a frame: colours sampled bilinearly, depths and labels from the nearest pixel.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    image = _checked(frame, frame.image_path, "image")
    colours = read_colours(image, where=frame.file_path)
    if frame.lens is not None:
        colours = undistort(colours, frame.lens, sampling="bilinear")
    depth = _counts(frame, frame.depth_path, "depth")
    return Observation(
        image=torch.from_numpy(colours),
        depth=None if depth is None else torch.from_numpy(depth.astype(np.float32) * np.float32(frame.depth_scale)),
        instances=_labels(frame, frame.instance_path, "instances"),
        semantics=_labels(frame, frame.semantic_path, "semantics"),
    )


def _labels(frame: Frame, path: Path | None, content: Content) -> Tensor | None:
    counts = _counts(frame, path, content)
    return None if counts is None else torch.from_numpy(counts.astype(np.int32))


def _counts(frame: Frame, path: Path | None, content: Content) -> UInt16[np.ndarray, "h w"] | None:
    if path is None:
        return None
    counts = read_counts(_checked(frame, path, content), content, where=frame.file_path)
    return counts if frame.lens is None else undistort(counts, frame.lens, sampling="nearest")


def _checked(frame: Frame, path: Path, content: Content) -> Path:
    check_image_file(path, content, frame.camera.width, frame.camera.height, where=frame.file_path)
    return path
