"""Textured planes seen by a row of cameras, with exact depth and exact sparse points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from s3d_splat.io.images import write_image
from s3d_splat.types import Camera, Frame, PosedCluster, ProxyGeometry, SparseDepth

WIDTH, HEIGHT, FOCAL = 96, 72, 90.0
COUNT = 6


@dataclass(frozen=True)
class Plane:
    """z = distance + slope x, of the world's x within `span`; without texture it has one colour."""

    distance: float
    slope: float = 0.0
    span: tuple[float, float] = (-np.inf, np.inf)
    is_textured: bool = True


def camera_at(index: int, scale: float = 1.0) -> Camera:
    """A step to the side and a small turn inwards from camera to camera."""
    share = index / (COUNT - 1) - 0.5
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [2 * share, -12 * share, 3 * share], degrees=True).as_matrix()
    pose[:3, 3] = np.array([1.0 * share, 0.1 * share, 0.05 * share]) * scale
    return Camera(torch.from_numpy(pose), FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def look(camera: Camera, planes: tuple[Plane, ...], scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Image and depth along z; all lengths of the world are multiplied by `scale`."""
    pose = camera.T_world_camera.numpy()
    row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(column - camera.cx) / FOCAL, (row - camera.cy) / FOCAL, np.ones_like(row)], axis=-1)
    rays, centre = rays @ pose[:3, :3].T, pose[:3, 3] / scale
    image, depth = np.zeros((HEIGHT, WIDTH)), np.full((HEIGHT, WIDTH), np.inf)
    for number, plane in enumerate(planes):
        along = (plane.distance + plane.slope * centre[0] - centre[2]) / (rays[..., 2] - plane.slope * rays[..., 0])
        hit = centre + along[..., None] * rays
        nearer = (along > 0) & (along < depth) & (hit[..., 0] > plane.span[0]) & (hit[..., 0] < plane.span[1])
        place = np.stack([(hit[..., 1] + 7) * 40, (hit[..., 0] + 7) * 40 + 170 * number])
        colour = map_coordinates(_texture(), place, order=1, mode="grid-wrap") if plane.is_textured else 0.5
        image, depth = np.where(nearer, colour, image), np.where(nearer, along, depth)
    return np.rint(image * 255).astype(np.uint8), depth * scale


def posed(folder: Path, planes: tuple[Plane, ...], scale: float = 1.0, test: tuple[int, ...] = ()) -> PosedCluster:
    """The cluster of all views with images in `folder`, and points on the planes as every view sees them."""
    cameras = [camera_at(index, scale) for index in range(COUNT)]
    seen = [look(camera, planes, scale) for camera in cameras]
    frames = []
    for index, (camera, (image, _)) in enumerate(zip(cameras, seen, strict=True)):
        path = folder / f"{index}.png"
        write_image(path, np.repeat(image[..., None], 3, axis=-1))
        split = "test" if index in test else "train"
        frames.append(Frame(f"images/{index}.png", camera, split, path, None, None, None, None))
    points = np.concatenate([_some_points(camera, depth) for camera, (_, depth) in zip(cameras, seen, strict=True)])
    sparse = tuple(_seen_points(points, camera, depth) for camera, (_, depth) in zip(cameras, seen, strict=True))
    cloud = torch.from_numpy(points).float()
    return PosedCluster(tuple(frames), (), ProxyGeometry(cloud, torch.zeros_like(cloud)), sparse)


def true_depth(index: int, planes: tuple[Plane, ...], scale: float = 1.0) -> np.ndarray:
    """Depth of a view."""
    return look(camera_at(index, scale), planes, scale)[1]


def _some_points(camera: Camera, depth: np.ndarray) -> np.ndarray:
    row, column = (grid.ravel() for grid in np.mgrid[3:HEIGHT:9, 3:WIDTH:9])
    z = depth[row, column]
    own = np.stack([(column + 0.5 - camera.cx) / FOCAL * z, (row + 0.5 - camera.cy) / FOCAL * z, z], axis=1)
    pose = camera.T_world_camera.numpy()
    return own @ pose[:3, :3].T + pose[:3, 3]


def _seen_points(points: np.ndarray, camera: Camera, depth: np.ndarray) -> SparseDepth:
    pose = camera.T_world_camera.numpy()
    own = (points - pose[:3, 3]) @ pose[:3, :3]
    pixels = own[:, :2] / own[:, 2:] * FOCAL + [camera.cx, camera.cy]
    column, row = np.floor(pixels).astype(int).T
    inside = np.flatnonzero((column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT))
    kept = inside[np.abs(depth[row[inside], column[inside]] / own[inside, 2] - 1) < 0.05]
    to = torch.from_numpy
    return SparseDepth(to(pixels[kept]).float(), to(own[kept, 2]).float(), to(kept))


@cache
def _texture() -> np.ndarray:
    noise = np.random.default_rng(3).random((600, 600))
    smooth = sum(gaussian_filter(noise, sigma, mode="wrap") * sigma for sigma in (1.2, 3.0))
    low, high = np.percentile(smooth, [1, 99])
    return np.clip((smooth - low) / (high - low), 0, 1)
