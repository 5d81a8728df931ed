"""A textured box seen from inside: images with exact depth, cut into clusters that drift and differ in gauge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from s3d_splat.geometry.similarity import exponential, moved_pose, scale_of
from s3d_splat.io.images import write_image
from s3d_splat.types import Camera, Frame, PosedCluster

WIDTH, HEIGHT, FOCAL = 192, 144, 144.0
HALF = np.array([4.0, 3.0, 1.5])  # metres from the middle of the box to its walls
COUNT = 0.0005


def ring(count: int, turns: float = 1.2) -> Float[np.ndarray, "n 4 4"]:
    """Cameras on a circle of 1 m radius that look outwards, +z up; the last fifth sees again what the first one saw."""
    poses = []
    for angle in np.linspace(0, 2 * np.pi * turns, count):
        forward = np.array([np.cos(angle), np.sin(angle), 0.1 * np.sin(3 * angle)])
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0, 1])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, 3] = [np.cos(angle), np.sin(angle), 0.1 * np.cos(2 * angle)]
        poses.append(pose)
    return np.stack(poses)


def rendered(pose: Float[np.ndarray, "4 4"]) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
    """Image and depth (metres) of the box from one camera."""
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5 - WIDTH / 2) / FOCAL, (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / FOCAL)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    to_walls = (np.where(rays > 0, HALF, -HALF) - pose[:3, 3]) / np.where(np.abs(rays) > 1e-9, rays, 1e-9)
    depth = to_walls.min(-1)
    points = pose[:3, 3] + depth[..., None] * rays
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    for axis in range(3):
        for side in (0, 1):
            seen = (to_walls.argmin(-1) == axis) & ((rays[..., axis] > 0) == bool(side))
            across = [k for k in range(3) if k != axis]
            x, y = (((points[..., k] + HALF[k]) * 60).astype(np.float32) for k in across)
            image = np.where(seen, cv2.remap(_TEXTURES[2 * axis + side], x, y, cv2.INTER_LINEAR), image)
    return np.repeat(image[..., None], 3, axis=2), depth


def _texture(seed: int) -> UInt8[np.ndarray, "h w"]:
    """Blobs of several sizes, nowhere the same."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((n, n)).astype(np.float32), (512, 512), interpolation=cv2.INTER_CUBIC) for n in (16, 48, 100)
    ]
    return np.clip(255 * sum(layers) / 3, 0, 255).astype(np.uint8)


_TEXTURES = [_texture(seed) for seed in range(6)]


def drifting(poses: Float[np.ndarray, "n 4 4"], seed: int, degrees: float, share: float) -> Float[np.ndarray, "n 4 4"]:
    """Poses whose errors add up along the way: degrees, and a share of the way, for every metre."""
    rng = np.random.default_rng(seed)
    axis, direction = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    steps = np.diff(poses[:, :3, 3], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    turned = Rotation.from_rotvec(np.deg2rad(degrees) * travelled[:, None] * axis).as_matrix()
    wrong = poses.copy()
    wrong[:, :3, :3] = turned @ poses[:, :3, :3]
    wrong[1:, :3, 3] = poses[0, :3, 3] + np.cumsum(
        np.einsum("nij,nj->ni", turned[:-1], steps) + share * lengths[:, None] * direction, axis=0
    )
    return wrong


def clusters_of(
    folder: Path,
    poses: Float[np.ndarray, "n 4 4"],
    ranges: Sequence[range],
    gauges: Float[np.ndarray, "k 4 4"],
    *,
    depth_scale_error: float = 0.0,
    outliers: float = 0.0,
    drift: tuple[float, float] = (0.0, 0.0),
) -> tuple[PosedCluster, ...]:
    """Write the images of a path, and the clusters over `ranges` in their gauges (T_gauge_world, similarities).

    Args:
        depth_scale_error: standard deviation of an error of the depth's scale, drawn for every cluster and image.
        outliers: share of the pixels whose depth is drawn anew.
        drift: see `drifting`; drawn anew for every cluster.
    """
    for index in sorted({index for members in ranges for index in members}):
        write_image(folder / "images" / f"{index:03d}.png", rendered(poses[index])[0])
    clusters = []
    for number, (members, gauge) in enumerate(zip(ranges, gauges, strict=True)):
        rng = np.random.default_rng(number + 100)
        own = moved_pose(gauge, drifting(poses[list(members)], number, *drift))
        frames = []
        for index, pose in zip(members, own, strict=True):
            depth = rendered(poses[index])[1] * (1 + depth_scale_error * rng.normal())
            wrong = rng.random(depth.shape) < outliers
            depth = np.where(wrong, rng.uniform(0.5, 6.0, depth.shape), depth)
            path = folder / str(number) / f"{index:03d}.png"
            write_image(path, np.rint(depth / COUNT).astype(np.uint16))
            frames.append(_frame(folder, index, pose, path, COUNT * float(scale_of(gauge))))
        clusters.append(PosedCluster(tuple(frames)))
    return tuple(clusters)


def any_gauges(count: int, seed: int = 0) -> Float[np.ndarray, "k 4 4"]:
    """Scales of about 0.6 to 1.6, any rotation, shifts of some metres."""
    tangents = np.random.default_rng(seed).normal(size=(count, 7))
    tangents[:, 6] *= 0.3
    return exponential(tangents)


def _frame(folder: Path, index: int, pose: Float[np.ndarray, "4 4"], depth: Path, count: float) -> Frame:
    camera = Camera(torch.from_numpy(pose), FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    name = f"{index:03d}.png"
    return Frame(f"images/{name}", camera, "train", folder / "images" / name, depth, None, None, None, count)
