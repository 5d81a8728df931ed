"""What training looks at: the train frames, loaded once."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from s3d_splat.instances.masks import canonical_masks
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of, frames_without_masks
from s3d_splat.types import Camera, Scene

log = logging.getLogger("s3d_splat")


@dataclass(frozen=True)
class TrainingView:
    """One train frame. Masks are numbered by first appearance in the frame, so that ids mean nothing across frames."""

    name: str
    camera: Camera
    image: UInt8[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"] | None  # metres, 0 = none
    masks: Int[Tensor, "h w"] | None  # 0 = unlabelled
    mask: Bool[Tensor, "h w"] | None = None  # the pixels that teach anything; None: all of them


def load_training_views(scene: Scene) -> tuple[TrainingView, ...]:
    """The train frames of a scene, in its order; test frames are never opened.

    Says in the log how many frames have no masks: those train the looks alone.
    """
    views = []
    for frame in frames_of(scene, "train"):
        observed = load_observation(frame)
        masks = None if observed.instances is None else canonical_masks(observed.instances)[0]
        views.append(TrainingView(frame.file_path, frame.camera, observed.image, observed.depth, masks, observed.mask))
    bare = frames_without_masks(scene)
    if bare:
        log.info("%d of %d train frames have no instance masks: they train the looks alone", bare, len(views))
    return tuple(views)
