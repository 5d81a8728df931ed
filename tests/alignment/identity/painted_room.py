"""A capture of the hand-made room with objects painted on its surfaces, and the masks that a careless segmenter gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.alignment.values import WorldFrame
from s3d_splat.geometry.cameras import unproject_depth
from s3d_splat.types import Camera, InstanceInfo
from tests.alignment.posed_images import camera_at, room_depth, source, world_frame

WALL, PILLAR, LEFT, RIGHT = 1, 2, 3, 4  # true ids: stuff, and three things
NAMES = {WALL: "wall", PILLAR: "pillar", LEFT: "poster", RIGHT: "poster"}
CLASSES = {WALL: 1, PILLAR: 2, LEFT: 3, RIGHT: 3}

Relabel = Callable[[int, int, Int[np.ndarray, "h w"]], Int[np.ndarray, "h w"]]  # cluster, frame, true ids


def true_labels(camera: Camera) -> Int[Tensor, "h w"]:
    """The pillar, and two posters on the far wall, 0.8 metres wide, left and right of it."""
    points = unproject_depth(room_depth(camera).double(), camera)
    x, y, z = points.unbind(-1)
    labels = torch.full(x.shape, WALL, dtype=torch.int32)
    on_wall = (z > 2.9) & (y.abs() < 0.5)
    labels[on_wall & (x > -1.6) & (x < -0.8)] = LEFT
    labels[on_wall & (x > 0.8) & (x < 1.6)] = RIGHT
    labels[(z < 1.8) & (x.abs() < 0.25) & (z > 1.2)] = PILLAR
    return labels


def cameras(count: int) -> list[Camera]:
    """A walk from left to right with the far wall in view."""
    return [camera_at((float(x), 0.0, -2.0), width=80, height=60) for x in np.linspace(-0.6, 0.6, count)]


def capture(folder: Path, clusters: list[range], relabel: Relabel) -> tuple[list[WorldFrame], list[Int[Tensor, "h w"]]]:
    """Frames with exact geometry, whose masks are the true ones as `relabel` leaves them; and the true labels."""
    frames, truth = [], []
    for index, camera in enumerate(cameras(max(part.stop for part in clusters))):
        labels = true_labels(camera)
        truth.append(labels)
        sources = [
            source(
                folder,
                f"{index:03d}.png",
                camera,
                room_depth(camera),
                cluster=number,
                instances=torch.from_numpy(relabel(number, index, labels.numpy())),
            )
            for number, part in enumerate(clusters)
            if index in part
        ]
        frames.append(world_frame(*sources, index=index))
    return frames, truth


def row(number: int, true_id: int) -> InstanceInfo:
    """The row of a table that calls a true object `number`."""
    return InstanceInfo(number, CLASSES[true_id], NAMES[true_id], true_id != WALL, 1.0)
