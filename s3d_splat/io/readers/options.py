"""Which images of a capture are taken; plain values, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from s3d_splat.errors import S3DError

VIDEO_FPS = 2.0  # images for each second of a video, where nothing is asked for


@dataclass(frozen=True)
class FrameChoice:
    """How many images are taken. Where more are there, the sharpest of each of as many equal parts of the capture is.

    Raises (constructor):
        S3DError: numbers that choose nothing, or both given.
    """

    count: int | None = None  # images at most; None: all of a folder or recording, of a video as many as `fps` says
    fps: float | None = None  # images for each second of a video; None: 2

    def __post_init__(self) -> None:
        if self.count is not None and self.fps is not None:
            raise S3DError(
                f"--frames {self.count} and --fps {self.fps:g} were given together",
                why="each of them says how many images are taken",
                fix="leave one of them away",
            )
        if self.count is not None and self.count < 2:
            raise S3DError(f"--frames {self.count} is too few", why="a scene needs several views", fix="give 100, say")
        if self.fps is not None and not 0 < self.fps < 1e4:
            raise S3DError(f"--fps {self.fps:g} cannot be used", why="it is images for each second", fix="give 2, say")


EVERY = FrameChoice()
