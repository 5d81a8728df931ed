"""What can be chosen about the viewer; free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewOptions:
    """Where the viewer listens, and how large its pictures are."""

    host: str = "127.0.0.1"  # this machine only; 0.0.0.0 lets everybody on the network look and edit
    port: int = 8080
    watch: bool = False  # show new checkpoints while a training runs
    height: int = 480  # pixels of the pictures while the camera is still; the width follows the window
    frames_per_second: float = 12.0  # aimed at while the camera moves, by rendering fewer pixels
    thumbnails: int = 40  # training cameras that are shown with their image, at most
