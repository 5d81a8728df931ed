"""The Sim(3) between two images from the surfaces that both measured, where corners are too few or seen too differently.

Source: Y. Chen and G. Medioni, "Object modelling by registration of multiple range images", 1992 (point to plane), with
planes as n . X = 1: noise of depth grows with the depth, and n . X - 1 is the distance as a share of it. Inverse depth is
affine in the pixels of a plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from s3d_splat.geometry.similarity import exponential, inverse, rotation_of, transformed
from s3d_splat.io.observations import load_confidence, load_depth
from s3d_splat.types import Camera, Frame

_COLUMNS = 40  # of the grid of patches
_TRUSTED = 0.2  # depth of less confidence is not looked at
_FILLED = 0.6  # of a patch's pixels have depth
_ROUGH, _ROUGHER = 0.05, 3.0  # most deviation from the plane: a share of the depth, and against the image's median
_STEEP = 0.15  # least cosine between the normal and the ray
_SEEN = 0.3  # share of one image's patches that the other must see for the two to be compared
_SAMPLED = 64  # patches that tell how much two images share
_GATE, _NARROW = 0.05, 0.012  # patches farther apart are different surfaces, at first and in the end: shares of the depth
_SAME_SIDE = 0.85  # least cosine between the normals of one surface
_LEAST, _AGREEING = 80, 0.5  # patches that must agree; share of those that are in view
_EXACT = 0.002  # no patch is better known: share of the depth
_ROUNDS = 10  # of Gauss-Newton, at most


@dataclass(frozen=True)
class Surface:
    """Planes n . X = 1 that fit an image's depth, in the axes of its camera and the unit of its depth."""

    camera: Camera
    planes: Float32[np.ndarray, "rows columns 3"]  # NaN: no plane there
    centres: Float32[np.ndarray, "n 3"]  # of those that are there, row by row
    normals: Float32[np.ndarray, "n 3"]  # their n, not of length 1

    def at(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
        """The plane where each point falls into the image, and whether there is one (else it is zero)."""
        camera, (rows, columns, _) = self.camera, self.planes.shape
        depth = np.where(points[:, 2] > 1e-9, points[:, 2], 1e-9)
        x = (camera.fx * points[:, 0] / depth + camera.cx) / camera.width
        y = (camera.fy * points[:, 1] / depth + camera.cy) / camera.height
        inside = (points[:, 2] > 1e-9) & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
        row, column = (np.where(inside, part, 0.0) for part in (y * rows, x * columns))
        planes = self.planes[row.astype(np.int64), column.astype(np.int64)].astype(np.float64)
        seen = inside & np.isfinite(planes[:, 0])
        return np.where(seen[:, None], planes, 0.0), seen


@dataclass(frozen=True)
class SurfaceFit:
    """A similarity that lays one image's surface on another's."""

    T_first_second: Float[np.ndarray, "4 4"]
    information: Float[np.ndarray, "7 7"]  # about x in T_first_second exponential(x)
    patches: int  # that agree
    residual: float  # median distance, as a share of the depth


def surface_of(frame: Frame) -> Surface | None:
    """Planes on a grid of 40 columns; None for an image without dense depth.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    depth = load_depth(frame)
    if depth is None:
        return None
    trusted = load_confidence(frame)
    if trusted is not None:
        depth = depth * (trusted > _TRUSTED)
    sums, ray, filled = _window_sums(depth.double().numpy(), frame.camera)
    one, x, y, xx, xy, yy, q, xq, yq, qq = np.moveaxis(sums, 2, 0)
    products = np.stack([xx, xy, x, xy, yy, y, x, y, one], axis=2).reshape(*one.shape, 3, 3)
    products[~filled] = np.eye(3)
    targets = np.stack([xq, yq, q], axis=2)
    planes = np.linalg.solve(products, targets[..., None])[..., 0]
    nearness = (ray * planes).sum(2)
    sound = filled & (nearness > 0)
    nearness = np.where(sound, nearness, 1.0)
    rough = np.sqrt(np.maximum(qq - (planes * targets).sum(2), 0.0) / np.maximum(one, 1.0)) / nearness
    facing = nearness / np.maximum(np.linalg.norm(planes, axis=2) * np.linalg.norm(ray, axis=2), 1e-12)
    sound &= (rough < _ROUGH) & (facing > _STEEP)
    if sound.any():
        sound &= rough <= _ROUGHER * np.median(rough[sound])
    planes = np.where(sound[..., None], planes, np.nan).astype(np.float32)
    return Surface(frame.camera, planes, (ray / nearness[..., None])[sound].astype(np.float32), planes[sound])


def overlapping(
    surfaces: Mapping[int, Surface], T_world_image: Float[np.ndarray, "k 4 4"], most: int, reach: int
) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of images that see the same surface, for every image at most `most`, spread evenly over time.

    Args:
        surfaces: of images, by their places in `T_world_image`; images without any are left out.
        T_world_image: Sim(3), whose scale is the unit of the image's depth.
        most: earlier images for every image.
        reach: how many places apart they may be.
    """
    places = [place for place, surface in sorted(surfaces.items()) if len(surface.centres) >= _LEAST]
    if not places:
        return []
    picked = [np.linspace(0, len(surfaces[place].centres) - 1, _SAMPLED).astype(np.int64) for place in places]
    samples = np.stack([surfaces[place].centres[rows] for place, rows in zip(places, picked, strict=True)]).astype(
        np.float64
    )
    T = T_world_image[places]
    world = samples @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    partners: dict[int, list[int]] = {later: [] for later in places}
    for order, place in enumerate(places):
        following = [k for k in range(order + 1, len(places)) if places[k] - place <= reach]
        points = transformed(inverse(T[order]), world[following].reshape(-1, 3))
        planes, seen = surfaces[place].at(points)
        same = (seen & (np.abs((planes * points).sum(1) - 1) < 2 * _GATE)).reshape(-1, _SAMPLED)
        for k in np.flatnonzero(same.mean(1) > _SEEN):
            partners[places[following[k]]].append(place)
    return [(earlier, later) for later, found in partners.items() for earlier in _spread(found, most)]


def laid_on(first: Surface, second: Surface, T_first_second: Float[np.ndarray, "4 4"]) -> SurfaceFit | None:
    """The similarity near the given one that brings the second image's patches onto the first's planes.

    Gauss-Newton with Geman-McClure's weights; None where too few patches agree, or too small a share of those in view.
    """
    T, points = T_first_second, second.centres.astype(np.float64)
    unit_normals = second.normals / np.linalg.norm(second.normals, axis=1, keepdims=True)
    gate = _GATE
    for _ in range(_ROUNDS):
        moved = transformed(T, points)
        planes, seen = first.at(moved)
        off = (planes * moved).sum(1) - 1
        cosine = (planes * (unit_normals @ rotation_of(T).T)).sum(1) / np.maximum(np.linalg.norm(planes, axis=1), 1e-12)
        same = seen & (np.abs(off) < gate) & (cosine > _SAME_SIDE)
        if np.count_nonzero(same) < _LEAST:
            return None
        sigma = max(_EXACT, 1.48 * float(np.median(np.abs(off[same]))))
        gate = max(4 * sigma, _NARROW)
        weights = same / (1 + np.square(off / (2 * sigma))) ** 2 / sigma**2
        pull = planes @ T[:3, :3]
        jacobian = np.concatenate([pull, np.cross(points, pull), (pull * points).sum(1, keepdims=True)], axis=1)
        information = (jacobian * weights[:, None]).T @ jacobian
        damped = information + 1e-6 * np.diag(np.diag(information)) + 1e-12 * np.eye(7)
        step = np.linalg.solve(damped, -jacobian.T @ (weights * off))
        T = T @ exponential(step)
        if np.abs(step).max() < 1e-4:
            break
    if np.count_nonzero(same) < _AGREEING * np.count_nonzero(seen):
        return None
    return SurfaceFit(T, information, int(np.count_nonzero(same)), float(np.median(np.abs(off[same]))))


def _window_sums(
    depth: Float[np.ndarray, "h w"], camera: Camera
) -> tuple[Float[np.ndarray, "rows columns 10"], Float[np.ndarray, "rows columns 3"], Bool[np.ndarray, "rows columns"]]:
    """What the normal equations of a plane need, from a window around the middle of every cell of the grid.

    Returns:
        Sums of 1, x, y, xx, xy, yy, q, xq, yq and qq over pixels with depth, q being the inverse depth; the rays (x, y, 1)
        through the middles; whether enough of the window has depth.
    """
    import cv2

    height, width = depth.shape
    rows = max(1, round(_COLUMNS * height / width))
    columns = min(_COLUMNS, width)
    half = max(1, round(0.75 * width / columns))
    known = depth > 0
    q = np.where(known, 1.0 / np.where(known, depth, 1.0), 0.0)
    x = np.broadcast_to((np.arange(width) + 0.5 - camera.cx) / camera.fx, depth.shape)
    y = np.broadcast_to(((np.arange(height) + 0.5 - camera.cy) / camera.fy)[:, None], depth.shape)
    terms = np.stack([np.ones_like(q), x, y, x * x, x * y, y * y, q, x * q, y * q, q * q], axis=2) * known[..., None]
    size = 2 * half + 1
    sums = cv2.boxFilter(terms, -1, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT)
    v = ((np.arange(rows) + 0.5) * height / rows).astype(np.int64)[:, None]
    u = ((np.arange(columns) + 0.5) * width / columns).astype(np.int64)[None]
    ray = np.stack([x[v, u], y[v, u], np.ones((rows, columns))], axis=2)
    return sums[v, u], ray, sums[v, u, 0] > _FILLED * size * size


def _spread(found: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly."""
    if len(found) <= most:
        return list(found)
    return [found[k] for k in np.linspace(0, len(found) - 1, most).round().astype(np.int64)]
