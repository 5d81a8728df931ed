"""Which object a click means, and what is worth saying about it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.types import Camera
from s3d_splat.viewer.cameras import pixel_camera
from s3d_splat.viewer.pictures import Picture, visible_gaussians
from s3d_splat.viewer.scene import ShownScene
from s3d_splat.viewer.state import ViewState


@dataclass(frozen=True)
class ObjectCard:
    """What the sidebar says of an object."""

    id: int
    name: str  # of its class; "object" where that is unknown
    is_thing: bool
    size: tuple[float, float, float]  # metres along the world's axes
    score: float
    gaussians: int


@torch.no_grad()
def object_at(picture: Picture | None, scene: ShownScene, state: ViewState, camera: Camera, x: float, y: float) -> int:
    """The object at (x, y), shares 0..1 of the picture's width and height; 0 = none.

    The ids of the last full picture answer if it was taken by this camera; otherwise the one pixel is rendered.
    """
    if picture is not None and picture.ids is not None and same_view(picture.camera, camera):
        row = min(max(int(y * picture.ids.shape[0]), 0), picture.ids.shape[0] - 1)
        column = min(max(int(x * picture.ids.shape[1]), 0), picture.ids.shape[1] - 1)
        return int(picture.ids[row, column])
    pixel = pixel_camera(camera, x, y)
    gaussians, child = visible_gaussians(scene, state, pixel)
    return int(render_panoptic(gaussians, child, scene.instances, scene.rasterizer, pixel).instances[0, 0])


def same_view(one: Camera, other: Camera) -> bool:
    """Whether two cameras see the same, whatever the number of their pixels."""
    angles = abs(one.fx / one.width - other.fx / other.width) + abs(one.fy / one.height - other.fy / other.height)
    return angles < 1e-3 and torch.allclose(one.T_world_camera, other.T_world_camera, rtol=0, atol=1e-5)


def object_card(scene: ShownScene, id: int) -> ObjectCard | None:
    """What is known of an object; None if the scene has no such object."""
    rows = torch.nonzero(scene.instances.instance_id == id)[:, 0]
    if not len(rows):
        return None
    row, known = int(rows[0]), scene.instances
    x, y, z = (known.aabb[row, 1] - known.aabb[row, 0]).tolist()
    return ObjectCard(
        id=id,
        name=scene.class_names.get(int(known.class_id[row]), "object"),
        is_thing=bool(known.is_thing[row]),
        size=(x, y, z),
        score=float(known.score[row]),
        gaussians=int(known.size[row]),
    )


def object_cards(scene: ShownScene, words: str = "") -> list[ObjectCard]:
    """All objects that own a Gaussian, or those whose class or id holds the words; things before stuff, then by id."""
    cards = [object_card(scene, id) for id in living_ids(scene.instances.child_instance)]
    wanted = words.strip().lower()
    found = [card for card in cards if card is not None and wanted in f"{card.name} {card.id}".lower()]
    return sorted(found, key=lambda card: (not card.is_thing, card.id))


def living_ids(child_instance: Int[Tensor, "a k"]) -> list[int]:
    """Ids that some Gaussian carries, ascending."""
    return [id for id in child_instance.unique().tolist() if id > 0]
