"""Which views show an object best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from s3d_splat.types import Camera

_SIDE = 64  # pixels; an object that covers the square of it is large enough, for encoders see 224 pixels of blur otherwise
LEAST_PIXELS = 36
"""An object that covers fewer pixels of a view is not seen there."""
_APART = np.cos(np.deg2rad(12.0))  # views of an object from nearer directions than this show the same


@dataclass(frozen=True)
class Look:
    """What one view shows: the rendered ids beside the picture, and the masks that came with it, whatever their ids mean."""

    camera: Camera
    rendered: Int[np.ndarray, "h w"]  # 0 = none
    image: UInt8[np.ndarray, "h w 3"]
    given: Int[np.ndarray, "h w"] | None = None  # 0 = unlabelled


@dataclass(frozen=True)
class SeenObjects:
    """How well v views show k objects.

    Where a view came without masks, the agreement is the object's mean over the views that show it and have some, 1 if
    there is none.
    """

    pixels: Int[np.ndarray, "v k"]
    visible: Float[np.ndarray, "v k"]  # share of an object's points that lie under its own pixels: 1 = nothing hides it
    sharpness: Float[np.ndarray, "v k"]  # mean absolute Laplacian of the picture's grey values (0..255) under the object
    agreement: Float[np.ndarray, "v k"]  # IoU of the rendered pixels with the given mask that covers most of them
    direction: Float[np.ndarray, "v k 3"]  # unit vector from the object's centre to the camera, world

    @property
    def shown(self) -> Bool[np.ndarray, "v k"]:
        """Whether a view shows an object at all."""
        return self.pixels >= LEAST_PIXELS


def look_at_objects(
    looks: Sequence[Callable[[], Look]], ids: Int[np.ndarray, " k"], points: Sequence[Float[np.ndarray, "_ 3"]]
) -> SeenObjects:
    """Look once at every view for the objects `ids` (ascending); `points` are some of each, in the world.

    Only one view is in memory at a time.
    """
    counts = np.array([len(own) for own in points], dtype=np.int64)
    owner = np.repeat(np.arange(len(ids)), counts)
    together = np.concatenate([np.zeros((0, 3)), *points])
    centres = np.stack([own.mean(axis=0) if len(own) else np.zeros(3) for own in points]) if len(ids) else np.zeros((0, 3))
    rows = [_one_look(look(), ids, together, owner, counts, centres) for look in looks]
    if rows:
        pixels, visible, sharpness, agreement, direction = (np.stack(column) for column in zip(*rows, strict=True))
        return SeenObjects(pixels, visible, sharpness, _judged(agreement, pixels >= LEAST_PIXELS), direction)
    none = np.zeros((0, len(ids)))
    return SeenObjects(none.astype(np.int64), none, none, none, np.zeros((0, len(ids), 3)))


def view_scores(seen: SeenObjects) -> Float[np.ndarray, "v k"]:
    """0..1, the product of visibility, size, sharpness (its root, against the sharpest view) and agreement of the masks."""
    size = np.minimum(np.sqrt(seen.pixels) / _SIDE, 1)
    sharpest = np.maximum(np.where(seen.shown, seen.sharpness, 0).max(axis=0, initial=0), 1e-6)
    sharp = np.sqrt(np.minimum(seen.sharpness / sharpest, 1))
    return np.where(seen.shown, seen.visible * size * sharp * seen.agreement, 0)


def best_views(seen: SeenObjects, count: int) -> list[list[tuple[int, float]]]:
    """For each object at most `count` views with their scores, the best first; under a fifth of the best they do not count.

    A view from nearly the direction of a better one is taken only where no other is left.
    """
    scores = view_scores(seen)
    return [_spread_out(scores[:, i], seen.direction[:, i], count) for i in range(scores.shape[1])]


def _spread_out(score: Float[np.ndarray, " v"], direction: Float[np.ndarray, "v 3"], count: int) -> list[tuple[int, float]]:
    usable = np.flatnonzero(score > max(0.2 * score.max(initial=0), 0))
    order = usable[np.argsort(-score[usable], kind="stable")]
    chosen: list[int] = []
    for view in order:
        if len(chosen) < count and all(direction[view] @ direction[other] < _APART for other in chosen):
            chosen.append(int(view))
    rest = [int(view) for view in order if view not in chosen]
    return [(view, float(score[view])) for view in sorted(chosen + rest[: count - len(chosen)], key=lambda v: -score[v])]


def _one_look(
    look: Look,
    ids: Int[np.ndarray, " k"],
    points: Float[np.ndarray, "n 3"],
    owner: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " k"],
    centres: Float[np.ndarray, "k 3"],
) -> tuple[np.ndarray, ...]:
    count = len(ids)
    place = np.full(int(max(look.rendered.max(initial=0), ids.max(initial=0))) + 1, -1)
    place[ids] = np.arange(count)
    index = np.where(look.rendered > 0, place[look.rendered], -1)  # the row of each pixel's object
    owned = index >= 0
    pixels = np.bincount(index[owned], minlength=count)
    grey = cv2.cvtColor(look.image, cv2.COLOR_RGB2GRAY)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    sharpness = np.bincount(index[owned], weights=edges[owned], minlength=count) / np.maximum(pixels, 1)
    under = _under_own_pixels(look.camera, index, points, owner)
    visible = np.bincount(owner, weights=under, minlength=count) / np.maximum(counts, 1)
    away = look.camera.T_world_camera[:3, 3].double().numpy() - centres
    direction = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    return pixels, visible, sharpness, _agreement(index, look.given, pixels), direction


def _under_own_pixels(
    camera: Camera, index: Int[np.ndarray, "h w"], points: Float[np.ndarray, "n 3"], owner: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    pose = camera.T_world_camera.double().numpy()
    seen = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = np.maximum(seen[:, 2], 1e-6)
    column = np.floor(camera.fx * seen[:, 0] / depth + camera.cx)
    row = np.floor(camera.fy * seen[:, 1] / depth + camera.cy)
    inside = (seen[:, 2] > 0) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    own = np.zeros(len(points), dtype=bool)
    own[inside] = index[row[inside].astype(int), column[inside].astype(int)] == owner[inside]
    return own


def _agreement(
    index: Int[np.ndarray, "h w"], given: Int[np.ndarray, "h w"] | None, pixels: Int[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """NaN where the view came without masks; an object that lies under none of them has 0."""
    if given is None or not given.any():
        return np.full(len(pixels), np.nan)
    names, mask = np.unique(given, return_inverse=True)
    mask = mask.reshape(given.shape)
    both = (index >= 0) & (given > 0)
    cells = np.bincount(index[both] * len(names) + mask[both], minlength=len(pixels) * len(names))
    overlap = cells.reshape(len(pixels), len(names))
    best = overlap.argmax(axis=1)
    common = overlap[np.arange(len(pixels)), best]
    union = pixels + np.bincount(mask.ravel(), minlength=len(names))[best] - common
    return np.where(common > 0, common / np.maximum(union, 1), 0.0)


def _judged(agreement: Float[np.ndarray, "v k"], shown: Bool[np.ndarray, "v k"]) -> Float[np.ndarray, "v k"]:
    """NaN replaced by the mean of the views that show the object, 1 without one."""
    known = shown & ~np.isnan(agreement)
    count = known.sum(axis=0)
    mean = np.where(count > 0, np.where(known, agreement, 0).sum(axis=0) / np.maximum(count, 1), 1.0)
    return np.where(np.isnan(agreement), mean, agreement)
