"""Flat surfaces that objects stand on, hang on or lean against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.editing.sight import Sight
from s3d_splat.geometry.voxels import voxel_sample
from s3d_splat.types import Gaussians

_TRIALS = 300
_FACING = 0.87  # least cosine between the normals of a plane and its points: depth that bends round edges makes no plane
_JUDGES = 2000  # points that choose between the trials
_PLANES = 4  # of one object, at most
_LEAST = 30  # points that make a surface
_LEAST_SHARE = 0.04  # of an object's points there
_WIDER = 6.0  # an object's surfaces are looked for in a box that is this many times as much wider


@dataclass(frozen=True)
class Surface:
    """A plane of one object."""

    instance: int
    origin: Float[Tensor, "3"]  # metres
    axes: Float[Tensor, "3 3"]  # rows: two in the plane, and the third into the surface, away from who looks at it
    members: Int[Tensor, " m"]  # the object's Gaussians that lie in the plane


@dataclass(frozen=True)
class SeenPoints:
    """Points that views show, evenly spread."""

    xyz: Float[Tensor, "n 3"]  # metres
    normal: Float[Tensor, "n 3"]  # towards the eye
    instance: Int[Tensor, " n"]


def seen_points(sights: Sequence[Sight], box: Float[Tensor, "2 3"], margin: float, spacing: float) -> SeenPoints:
    """What views show of other objects in a box wider by `margin`, thinned to a point in a cell of `spacing` (metres)."""
    parts = [_points_of(sight, box, margin) for sight in sights]
    xyz, normal, instance = (torch.cat(columns) for columns in zip(*parts, strict=True))
    kept = voxel_sample(xyz, spacing)
    return SeenPoints(xyz[kept], normal[kept], instance[kept])


def surfaces_near(
    seen: SeenPoints,
    gaussians: Gaussians,
    child_instance: Int[Tensor, " n"],
    box: Float[Tensor, "2 3"],
    thickness: float,
    reach: float,
) -> list[Surface]:
    """Planes of the objects that come within `reach` of a box; all lengths in metres.

    RANSAC (Fischler and Bolles, 1981) over the seen points of each object, weighed by how well their normals fit. The
    Gaussians of a plane lie up to `thickness` before it and twice as much behind it: what is seen is their front.
    """
    generator = torch.Generator().manual_seed(0)
    near = _inside(seen.xyz, box, reach)
    found = []
    for id in seen.instance[near & (seen.instance > 0)].unique().tolist():
        own = seen.instance == id
        for origin, inward in _planes(seen.xyz[own], seen.normal[own], thickness / 2, generator):
            touching = ((seen.xyz[own & near] - origin) @ inward).abs() < thickness
            if touching.sum() < _LEAST // 3:
                continue
            depth = (gaussians.means - origin) @ inward
            members = (child_instance == id) & (depth > -thickness) & (depth < 2 * thickness) & (gaussians.opacities > 0)
            found.append(Surface(id, origin, _frame(inward), members.nonzero()[:, 0]))
    return found


def wider_box_margin(reach: float) -> float:
    """How far round an object its neighbours are looked at, metres."""
    return _WIDER * reach


def _points_of(sight: Sight, box: Float[Tensor, "2 3"], margin: float) -> tuple[Tensor, Tensor, Tensor]:
    down, right = sight.point.diff(dim=0)[:, :-1], sight.point.diff(dim=1)[:-1]
    normal = torch.nn.functional.normalize(torch.linalg.cross(right, down), dim=-1)
    towards = sight.point[:-1, :-1] - sight.camera.T_world_camera[:3, 3]
    normal = torch.where(((normal * towards).sum(-1) > 0)[..., None], -normal, normal)
    kept = (sight.shown[:-1, :-1] > 0) & ~sight.gone[:-1, :-1]
    kept &= _inside(sight.point[:-1, :-1].reshape(-1, 3), box, margin).view(kept.shape)
    return sight.point[:-1, :-1][kept], normal[kept], sight.shown[:-1, :-1][kept]


def _planes(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], thickness: float, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """A point of each plane and the direction into it, the largest first."""
    left = torch.ones(len(points), dtype=torch.bool, device=points.device)
    for _ in range(_PLANES):
        index = left.nonzero()[:, 0]
        if len(index) < _LEAST:
            return
        own, facing = points[index], normals[index]
        inliers = _best_plane(own, facing, thickness, generator)
        if inliers.sum() < max(_LEAST, _LEAST_SHARE * len(points)):
            return
        for _ in range(2):
            origin, normal = _fitted(own[inliers])
            inliers = _lies_in(own, facing, origin[None], normal[None], thickness)[:, 0]
        yield origin, -normal * ((facing[inliers] @ normal).median().sign())
        left[index[((own - origin) @ normal).abs() < 2 * thickness]] = False


def _best_plane(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], thickness: float, generator: torch.Generator
) -> Bool[Tensor, " n"]:
    corners = torch.randint(len(points), (_TRIALS, 3), generator=generator).to(points.device)
    a, b, c = points[corners].unbind(1)
    tried = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    tried, a = torch.cat((tried, normals[corners[:, 0]])), torch.cat((a, a))  # planes of three points, and of a single one
    few = torch.randint(len(points), (min(len(points), _JUDGES),), generator=generator).to(points.device)
    best = _lies_in(points[few], normals[few], a, tried, thickness).sum(0).argmax()
    return _lies_in(points, normals, a[best][None], tried[best][None], thickness)[:, 0]


def _lies_in(
    points: Float[Tensor, "n 3"],
    facing: Float[Tensor, "n 3"],
    origins: Float[Tensor, "p 3"],
    normals: Float[Tensor, "p 3"],
    thickness: float,
) -> Bool[Tensor, "n p"]:
    """Which points lie in which planes, and face along their normals."""
    return ((points @ normals.T - (origins * normals).sum(1)).abs() < thickness) & ((facing @ normals.T).abs() > _FACING)


def _fitted(points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    origin = points.mean(0)
    centred = points - origin
    return origin, torch.linalg.eigh(centred.T @ centred).eigenvectors[:, 0]


def _frame(inward: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """A right-handed frame with a given third axis."""
    helper = torch.eye(3).to(inward)[inward.abs().argmin()]
    first = torch.nn.functional.normalize(torch.linalg.cross(helper, inward), dim=0)
    return torch.stack((first, torch.linalg.cross(inward, first), inward))


def _inside(points: Float[Tensor, "n 3"], box: Float[Tensor, "2 3"], margin: float) -> Bool[Tensor, " n"]:
    return ((points >= box[0] - margin) & (points <= box[1] + margin)).all(1)
