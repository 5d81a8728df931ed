"""Pictures as a model's training had them: scaled, cut and normalised, on the device of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, center_crop, resize

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.base import Picture


class Preparation:
    """What open_clip does to a picture before its model sees it, to within two of 255 levels, without PIL.

    `shortest` scales the shorter side to the model's and cuts the longer one on both ends; `squash` scales both.
    """

    def __init__(self, config: Mapping[str, Any], device: torch.device) -> None:
        """`config`: open_clip's `size`, `mean`, `std`, `interpolation` and `resize_mode`. Raises S3DError."""
        size, self._mode = config["size"], config["resize_mode"]
        if self._mode not in ("shortest", "squash"):
            raise S3DError(
                f"pictures cannot be scaled as this model has them: {self._mode}",
                why="only `shortest` and `squash` are known, which all weights of open_clip use",
                fix="choose another model with --clip-model",
            )
        self._size = [size, size] if isinstance(size, int) else list(size)
        self._how = InterpolationMode(config["interpolation"])
        self._device = device
        self._mean, self._std = (255 * torch.tensor(config[key], device=device).reshape(3, 1, 1) for key in ("mean", "std"))

    def __call__(self, pictures: Sequence[Picture]) -> Float[Tensor, "n 3 s t"]:
        """Of at least one picture."""
        return (torch.stack([self._fit(picture) for picture in pictures]) - self._mean) / self._std

    def _fit(self, picture: Picture) -> Float[Tensor, "3 s t"]:
        """Levels 0..255; rounded, since pictures of 8 bits are what the model has learned from."""
        pixels = as_tensor(picture).to(self._device).permute(2, 0, 1).float()
        size = self._size if self._mode == "squash" else self._size[:1]
        scaled = resize(pixels, size, interpolation=self._how, antialias=True)
        return center_crop(scaled, self._size).round().clamp(0, 255)


def as_tensor(picture: Picture) -> Tensor:
    """The same pixels; a copy of an array, which may be read-only or run backwards."""
    return picture if isinstance(picture, Tensor) else torch.from_numpy(np.array(picture, order="C"))
