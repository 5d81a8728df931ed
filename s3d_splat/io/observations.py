"""The pixels of one frame, undistorted: the one way in which images, depths and masks enter every stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8, UInt16
from torch import Tensor

from s3d_splat.geometry.lenses import undistort
from s3d_splat.io.images import Content, check_image_file, read_colours, read_counts
from s3d_splat.types import Frame, Observation


def load_observation(frame: Frame) -> Observation:
    """Read the pixels of a frame: colours sampled bilinearly, depths, labels and the mask from the nearest pixel.

    Depths and labels are 0 where the mask leaves pixels out.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    return Observation(
        image=load_colours(frame),
        depth=load_depth(frame),
        instances=load_labels(frame),
        semantics=_labels(frame, frame.semantic_path, "semantics"),
        confidence=load_confidence(frame),
        mask=load_mask(frame),
    )


def load_colours(frame: Frame) -> UInt8[Tensor, "h w 3"]:
    """The image of a frame, undistorted. Raises S3DError as `load_observation` does."""
    image = _checked(frame, frame.image_path, "image")
    colours = read_colours(image, where=frame.file_path)
    if frame.lens is not None:
        colours = undistort(colours, frame.lens, sampling="bilinear")
    return torch.from_numpy(colours)


def load_depth(frame: Frame) -> Float[Tensor, "h w"] | None:
    """The depth of a frame, undistorted: float32, units of its pose, 0 = none or masked; None if it has no depth image.

    Raises S3DError as `load_observation` does.
    """
    counts = _unmasked(frame, frame.depth_path, "depth")
    return None if counts is None else torch.from_numpy(counts.astype(np.float32) * np.float32(frame.depth_scale))


def load_confidence(frame: Frame) -> Float[Tensor, "h w"] | None:
    """How far each depth can be trusted, undistorted: float32, 0..1; None if nobody judged it.

    Raises S3DError as `load_observation` does.
    """
    counts = _counts(frame, frame.confidence_path, "confidence")
    return None if counts is None else torch.from_numpy(counts.astype(np.float32) / np.float32(255))


def load_labels(frame: Frame) -> Int[Tensor, "h w"] | None:
    """The instance ids of a frame, undistorted: int32, 0 = unlabelled or masked; None if it has none.

    Raises S3DError as `load_observation` does.
    """
    return _labels(frame, frame.instance_path, "instances")


def load_mask(frame: Frame) -> Bool[Tensor, "h w"] | None:
    """Which pixels of a frame count, undistorted; None if all do.

    Raises S3DError as `load_observation` does.
    """
    counts = _counts(frame, frame.mask_path, "mask")
    return None if counts is None else torch.from_numpy(counts > 0)


def _unmasked(frame: Frame, path: Path | None, content: Content) -> UInt16[np.ndarray, "h w"] | None:
    """Counts of a file, 0 where the mask of the frame leaves pixels out."""
    counts = _counts(frame, path, content)
    mask = None if counts is None else _counts(frame, frame.mask_path, "mask")
    return counts if counts is None or mask is None else np.where(mask > 0, counts, np.uint16(0))


def _labels(frame: Frame, path: Path | None, content: Content) -> Int[Tensor, "h w"] | None:
    counts = _unmasked(frame, path, content)
    return None if counts is None else torch.from_numpy(counts.astype(np.int32))


def _counts(frame: Frame, path: Path | None, content: Content) -> UInt16[np.ndarray, "h w"] | None:
    if path is None:
        return None
    counts = read_counts(_checked(frame, path, content), content, where=frame.file_path)
    return counts if frame.lens is None else undistort(counts, frame.lens, sampling="nearest")


def _checked(frame: Frame, path: Path, content: Content) -> Path:
    check_image_file(path, content, frame.camera.width, frame.camera.height, where=frame.file_path)
    return path
