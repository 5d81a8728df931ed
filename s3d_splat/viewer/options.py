"""What can be chosen about the viewer; free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from s3d_splat.errors import S3DError

LEAST_HEIGHT, MOST_HEIGHT = 60, 2160


@dataclass(frozen=True)
class ViewOptions:
    """Where the viewer listens, and how large its pictures are."""

    host: str = "127.0.0.1"  # this machine only; 0.0.0.0 lets everybody on the network look and edit
    port: int = 8080
    watch: bool = False  # show new checkpoints while a training runs
    height: int = 480  # pixels of the pictures while the camera is still; the width follows the window
    frames_per_second: float = 12.0  # aimed at while the camera moves, by rendering fewer pixels
    thumbnails: int = 40  # training cameras that are shown with their image, at most

    def __post_init__(self) -> None:
        """Raises S3DError for pictures of no size, or none at all."""
        wrong = {
            "--height": not LEAST_HEIGHT <= self.height <= MOST_HEIGHT,
            "--frames-per-second": not 1 <= self.frames_per_second <= 120,
            "--thumbnails": self.thumbnails < 1,
        }
        for flag, is_wrong in wrong.items():
            if is_wrong:
                raise S3DError(
                    f"{flag} {getattr(self, flag[2:].replace('-', '_'))} shows nothing",
                    why=f"pictures have {LEAST_HEIGHT} to {MOST_HEIGHT} rows, 1 to 120 a second, with 1 thumbnail or more",
                    fix=f"leave {flag} away, or give a value in that range",
                )
