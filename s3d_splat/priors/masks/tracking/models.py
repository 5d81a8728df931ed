"""One set of SAM's weights in its two shapes: for single images and for videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class SegmentAnything:
    """Models of transformers that share their weights."""

    image: Any  # Sam2Model, Sam3TrackerModel
    video: Any  # Sam2VideoModel, Sam3TrackerVideoModel
    processor: Any  # of the video model


def segment_anything(image: Any, image_config: Any, video: Any, processor: Any) -> SegmentAnything:
    """The video model, and around its encoder and its decoder a model for single images, which takes no memory of its own.

    Args:
        image, image_config: the classes of the model for single images.
        video, processor: loaded.
    """
    names = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
    with torch.device("meta"):
        still = image(image_config(**{name: getattr(video.config, name) for name in names}))
    for name, _ in list(still.named_children()):
        setattr(still, name, getattr(video, name))
    still.no_memory_embedding = video.no_memory_embedding
    return SegmentAnything(still.eval(), video, processor)
