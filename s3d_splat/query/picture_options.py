"""What can be chosen about the pictures that objects get their vectors from; free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from s3d_splat.errors import S3DError


@dataclass(frozen=True)
class PictureOptions:
    """Which pictures of an object are encoded."""

    views: int = 8  # of an object, the best ones
    scales: tuple[float, ...] = (1.2, 2.0)  # edges of the pictures, in longer edges of the object's box
    cut_out: bool = True  # one more, of the least scale and without what is around the object

    def __post_init__(self) -> None:
        """Raises S3DError for options that give no picture of an object."""
        if self.views < 1:
            raise S3DError(
                f"--pictures.views {self.views} encodes nothing", why="a vector needs a picture", fix="give 1 or more"
            )
        if not self.scales or not all(0.1 <= scale <= 100 for scale in self.scales):
            raise S3DError(
                f"--pictures.scales {' '.join(str(scale) for scale in self.scales)} gives no pictures",
                why="each is the edge of a picture, in longer edges of the object's box",
                fix="give one or more from 0.1 to 100, such as 1.2 2.0",
            )
