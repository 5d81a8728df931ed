"""What can be chosen about the pictures that objects get their vectors from; free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureOptions:
    """Which pictures of an object are encoded."""

    views: int = 8  # of an object, the best ones
    scales: tuple[float, ...] = (1.2, 2.0)  # edges of the pictures, in longer edges of the object's box
    cut_out: bool = True  # one more, of the least scale and without what is around the object
