"""What a user can choose about text encoders; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EncoderChoice = Literal["open_clip", "table"]


@dataclass(frozen=True)
class TextOptions:
    """Which encoder puts pictures and words into one space."""

    encoder: EncoderChoice = "open_clip"
    clip_model: str = "ViT-B-16"  # any that open_clip knows, SigLIP 2 (ViT-B-16-SigLIP2) among them
    clip_pretrained: str = "laion2b_s34b_b88k"  # open_clip's name of the weights; downloaded if they are not there yet
    clip_weights: Path | None = None  # a copy of these weights (.pt, .bin, .safetensors), or weights tuned from them
    clip_batch: int = 32  # pictures at a time
    accept_non_commercial: bool = False  # load weights whose licence forbids commercial use
    embeddings: Path | None = None  # npz of the encoder `table`: embeddings that another machine has made
