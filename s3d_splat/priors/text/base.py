"""The seam between a scene and whatever puts pictures and words into one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

Picture = UInt8[Tensor, "_ _ 3"] | UInt8[np.ndarray, "_ _ 3"]
"""RGB, any height and width from 1 on. An encoder may look at the middle square only: hand in squares."""


@runtime_checkable
class TextEncoder(Protocol):
    """The picture side and the text side of one model; vectors of another model mean nothing beside its own."""

    name: str  # model and weights: what a run folder records, and refuses to mix
    dimension: int

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """Unit vectors (float32, on the CPU) of n pictures, each of its own size; the same whatever is beside them.

        Raises:
            S3DError: this encoder has no vector for one of them.
        """

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Unit vectors (float32, on the CPU) of n texts, which are encoded as they are: templates are the caller's.

        Raises:
            S3DError: this encoder has no vector for one of them.
        """
