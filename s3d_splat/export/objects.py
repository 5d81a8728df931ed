"""The objects of a trained scene as files name them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.export.base import TrainedScene

_LONGEST = 40  # characters of a class in a name


@dataclass(frozen=True)
class NamedObject:
    """An object that owns Gaussians, and what files say of it."""

    id: int
    name: str  # such as "floor_mat_12": letters, digits and underscores of ASCII alone; no two objects share one
    class_id: int  # 0 = unknown
    class_name: str | None
    is_thing: bool
    score: float  # 0..1
    gaussians: int  # that can be seen
    aabb: tuple[tuple[float, float, float], tuple[float, float, float]]  # lowest and highest centre, metres

    def row(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**vars(self), "aabb": [list(corner) for corner in self.aabb]}


def owners(trained: TrainedScene) -> Int[Tensor, " n"]:
    """The instance of each Gaussian, 0 = none."""
    return trained.instances.child_instance.reshape(-1).to(trained.anchor_positions.device)


def named_objects(
    trained: TrainedScene, means: Tensor, shown: Bool[Tensor, " n"], ids: Sequence[int] = ()
) -> tuple[NamedObject, ...]:
    """The objects that own a Gaussian that can be seen, ascending by id; only those of `ids`, unless that is empty.

    Args:
        means: [n, 3], metres, of all Gaussians.
        shown: which of them can be seen.

    Raises:
        S3DError: an id is unknown, or nothing of it can be seen.
    """
    classes = {entry.id: entry.name for entry in trained.scene.classes}
    table, owner = trained.instances, owners(trained)
    found = []
    for row in torch.argsort(table.instance_id).tolist():
        id, class_id = int(table.instance_id[row]), int(table.class_id[row])
        own = means[shown & (owner == id)]
        if len(own) and (not ids or id in ids):
            name, box = classes.get(class_id), torch.stack((own.amin(0), own.amax(0))).tolist()
            is_thing, score = bool(table.is_thing[row]), float(table.score[row])
            corners = (tuple(box[0]), tuple(box[1]))
            found.append(NamedObject(id, safe_name(name, id), class_id, name, is_thing, score, len(own), corners))
    missing = sorted(set(ids) - {entry.id for entry in found})
    if missing:
        raise S3DError(
            f"the run has no object {missing[0]}",
            why=f"it has {len(table.instance_id)} objects; one that was removed by editing has nothing to be seen",
            fix="take ids from instances.json of `--format instances-ply`, or from `s3d-splat query`",
        )
    return tuple(found)


def safe_name(class_name: str | None, id: int) -> str:
    """A name for files and nodes: of a class's name the letters and digits of ASCII alone, then the id."""
    return f"{safe_word(class_name or '') or 'object'}_{id}"


def safe_word(text: str) -> str:
    """Letters and digits of ASCII, with underscores in place of all else; empty where nothing of that is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "_", plain.lower())[:_LONGEST].strip("_")
