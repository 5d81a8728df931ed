"""What geometry knows of the objects of a run: which way is up, boxes, colours, some points of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.query.values import ObjectTable
from s3d_splat.raster.base import LOG_SCALE_MAX
from s3d_splat.types import Camera, Gaussians, InstanceSet

_POINTS = 256  # of an object
_OUTSIDE = 0.02  # share of an object's Gaussians beyond each face of its box: floaters
_OPAQUE = 0.1  # Gaussians under this opacity show nothing
_NEAR_COLOUR = 0.2  # RGB distance of colours that count as one
_FLAT = 1e-3  # of the largest eigenvalue; under that, axes have no second direction
_ROUNDS = 8  # of the search for the most frequent colour


def object_table(
    gaussians: Gaussians, instances: InstanceSet, class_names: Mapping[int, str], cameras: Sequence[Camera]
) -> ObjectTable:
    """The table of a run's objects that own a Gaussian; `cameras` tell which way is up."""
    T_upright_world = upright(cameras)
    means = gaussians.means.detach().double().cpu().numpy() @ T_upright_world[:3, :3].T
    weight = _surface(gaussians)
    colours = gaussians.colours.detach().double().cpu().numpy().clip(0, 1)
    owner = instances.child_instance.reshape(-1).cpu().numpy()
    useful = gaussians.opacities.detach().cpu().numpy() >= _OPAQUE
    rows = sorted(zip(instances.instance_id.tolist(), instances.class_id.tolist(), instances.is_thing.tolist(), strict=True))
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], [id for id, _, _ in rows])
    ends = np.searchsorted(owner[order], [id for id, _, _ in rows], side="right")
    found = []
    for (id, class_id, is_thing), start, end in zip(rows, starts, ends, strict=True):
        own = order[start:end]
        own = own[useful[own]] if useful[own].any() else own
        if len(own):
            box = np.quantile(means[own], (_OUTSIDE, 1 - _OUTSIDE), axis=0)
            points = means[own[np.linspace(0, len(own) - 1, min(len(own), _POINTS)).round().astype(int)]]
            colour = most_frequent_colour(colours[own], weight[own])
            found.append((id, class_names.get(class_id, ""), bool(is_thing), box, colour, points))
    boxes = np.array([row[3] for row in found]).reshape(-1, 2, 3)
    return ObjectTable(
        id=np.array([row[0] for row in found], dtype=np.int64),
        class_name=tuple(row[1] for row in found),
        is_thing=np.array([row[2] for row in found], dtype=bool),
        centre=boxes.mean(axis=1),
        box=boxes,
        colour=np.array([row[4] for row in found]).reshape(-1, 3),
        points=tuple(row[5] for row in found),
        T_upright_world=T_upright_world,
    )


def upright(cameras: Sequence[Camera]) -> Float[np.ndarray, "4 4"]:
    """`T_upright_world`, a rotation: z is the direction that is most at right angles to one axis of all cameras.

    People hold cameras level and tilt them up and down: the x axes stay horizontal, whatever is looked at, or the y axes
    where all pictures were taken sideways. Upwards is where the other axis tells, or, sideways, where cameras look away
    from: they look down more than up. Without cameras the world's z points up already.
    """
    result = np.eye(4)
    if not cameras:
        return result
    poses = torch.stack([camera.T_world_camera for camera in cameras]).double().cpu().numpy()
    x, y, forward = poses[:, :3, 0], poses[:, :3, 1], poses[:, :3, 2]
    sideways = _unevenness(y) < 0.5 * _unevenness(x)
    up = _across(y, -forward.mean(axis=0)) if sideways else _across(x, -y.mean(axis=0))
    level = np.eye(3)[1 if abs(up[0]) > 0.9 else 0]  # the world's x, level, so that sizes keep their axes
    level = level - up * (up @ level)
    level = level / np.linalg.norm(level)
    result[:3, :3] = np.stack((level, np.cross(up, level), up))
    return result


def _unevenness(axes: Float[np.ndarray, "v 3"]) -> float:
    """0 where the axes span a plane and never leave it, up to 1 where they go anywhere, or all the same way."""
    low, middle, high = np.linalg.eigvalsh(axes.T @ axes)
    return float(low / middle) if middle > _FLAT * high else 1.0


def _across(axes: Float[np.ndarray, "v 3"], hint: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The unit direction at right angles to the axes, on the side of the hint.

    Where all cameras look the same way many directions are; of these, the one nearest to the hint.
    """
    values, vectors = np.linalg.eigh(axes.T @ axes)
    flat = vectors[:, :2] if values[1] <= _FLAT * values[2] else vectors[:, :1]
    found = flat @ (flat.T @ hint)
    length = np.linalg.norm(found)
    return found / length if length > 1e-9 else flat[:, 0]


def most_frequent_colour(colours: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3"]:
    """The mean of the colours about the densest place in RGB (0..1), by weight; n > 0.

    A mean of all would give a red ball with white stripes a colour that it has nowhere.
    """
    weights = weights if weights.any() else np.ones(len(colours))
    cells = (colours * 4.999).astype(int) @ np.array([25, 5, 1])
    heaviest = np.bincount(cells, weights=weights).argmax()
    middle = np.average(colours[cells == heaviest], axis=0, weights=np.maximum(weights[cells == heaviest], 1e-12))
    for _ in range(_ROUNDS):
        near = np.linalg.norm(colours - middle, axis=1) < _NEAR_COLOUR
        middle = np.average(colours[near], axis=0, weights=np.maximum(weights[near], 1e-12))
    return middle


def _surface(gaussians: Gaussians) -> Float[np.ndarray, " n"]:
    """Opacity times the area of each Gaussian's largest cross-section, but for a constant."""
    log_scales = gaussians.log_scales.detach().double().cpu().clamp(-LOG_SCALE_MAX, LOG_SCALE_MAX)  # a finite area
    area = (log_scales.sum(dim=1) - log_scales.min(dim=1).values).exp()
    return (gaussians.opacities.detach().double().cpu() * area).numpy()
