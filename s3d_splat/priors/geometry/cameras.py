"""What structure from motion takes for the camera of a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import PIL.Image  # noqa: F401 before pycolmap: see features.py
import pycolmap
import torch

from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.features import Sighting
from s3d_splat.priors.geometry.frames import frame_of
from s3d_splat.types import CaptureView, Frame, Lens

_FOCAL_GUESS = 1.2  # of the longer side, where nothing is known (COLMAP's)


def searched(view: CaptureView) -> Frame:
    """What is searched for features: the image without its distortion where that is known, else as it is stored."""
    guess = _FOCAL_GUESS * max(view.width, view.height)
    lens = view.lens or Lens(guess, guess, view.width / 2, view.height / 2, 0.0, 0.0, 0.0, 0.0)
    frame = frame_of(view, lens, torch.eye(4, dtype=torch.float64))
    return replace(frame, depth_path=None, instance_path=None, confidence_path=None)


def sighting(frame: Frame, load: Load) -> Sighting:
    """The pixels of a frame, and those that features may lie in.

    Raises:
        S3DError: the image or its mask cannot be read.
    """
    seen = load(frame)
    return seen.image.numpy(), None if seen.mask is None else seen.mask.numpy()


def cameras_of(views: Sequence[CaptureView], frames: Sequence[Frame], load: Load) -> list[Any]:
    """A pycolmap.Camera for each view, the same object for views that share it: known, or to be estimated from a guess.

    Args:
        frames: what is searched for each view, by `searched`.

    Raises:
        S3DError: an image without a known lens cannot be read.
    """
    shared: dict[Any, Any] = {}
    for view, frame in zip(views, frames, strict=True):
        key = (view.lens, view.width, view.height)
        if key not in shared:
            shared[key] = known_camera(frame) if view.lens is not None else _guessed_camera(view, frame, load)
    return [shared[view.lens, view.width, view.height] for view in views]


def known_camera(frame: Frame) -> Any:
    """The camera of a frame as a pycolmap.Camera that is kept as it is."""
    camera = frame.camera
    parameters = [camera.fx, camera.fy, camera.cx, camera.cy]
    made = pycolmap.Camera(model="PINHOLE", width=camera.width, height=camera.height, params=parameters)
    made.has_prior_focal_length = True
    return made


def _guessed_camera(view: CaptureView, frame: Frame, load: Load) -> Any:
    """One focal length, from the image's EXIF data if they tell, and one radial term."""
    load(frame)  # says what is wrong with a file that cannot be read
    guessed = pycolmap.infer_camera_from_image(view.image_path, pycolmap.ImageReaderOptions(camera_model="SIMPLE_RADIAL"))
    if (guessed.width, guessed.height) == (view.width, view.height):
        return guessed
    parameters = [_FOCAL_GUESS * max(view.width, view.height), view.width / 2, view.height / 2, 0.0]
    return pycolmap.Camera(model="SIMPLE_RADIAL", width=view.width, height=view.height, params=parameters)
