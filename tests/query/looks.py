"""Hand-made views of two squares, for tests that need no run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from s3d_splat.priors.text.base import Picture
from s3d_splat.query.views import Look
from s3d_splat.types import Camera

SIZE = 64
IDS = np.array([3, 7])
RED, BLUE, WALL = (200, 20, 30), (20, 30, 200), (120, 120, 120)


def camera(x: float = 0.0) -> Camera:
    """Looks along z from (x, 0, 0); a metre at z = 1 is 64 pixels."""
    pose = torch.eye(4)
    pose[0, 3] = x
    return Camera(pose, fx=64.0, fy=64.0, cx=32.0, cy=32.0, width=SIZE, height=SIZE)


def squares(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Ids in boxes (id, left, top, right, bottom), later ones in front."""
    ids = np.zeros((SIZE, SIZE), dtype=np.int32)
    for id, left, top, right, bottom in boxes:
        ids[top:bottom, left:right] = id
    return ids


def look(rendered: np.ndarray, given: np.ndarray | None = None, x: float = 0.0) -> Look:
    """Instance 3 is red, 7 blue, and the wall behind them grey."""
    image = np.full((SIZE, SIZE, 3), WALL, dtype=np.uint8)
    image[rendered == 3] = RED
    image[rendered == 7] = BLUE
    return Look(camera(x), rendered, image, given)


class MeanColour:
    """An encoder: a picture's vector is the mean colour of its inner half, and words are colours."""

    name, dimension = "mean colour", 3

    def encode_pictures(self, pictures: Sequence[Picture]) -> Tensor:
        rows = [picture.float()[_inner(len(picture)), _inner(picture.shape[1])].mean((0, 1)) for picture in pictures]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1) if rows else torch.zeros(0, 3)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        rows = [{"red": RED, "blue": BLUE}.get(text, WALL) for text in texts]
        return torch.nn.functional.normalize(torch.tensor(rows).float().reshape(-1, 3), dim=1)


def _inner(length: int) -> slice:
    return slice(length // 4, max(length - length // 4, length // 4 + 1))
