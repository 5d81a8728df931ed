"""A textured wall with a block before it, seen by a moving camera: images, depth and masks with exact poses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from s3d_splat.io.images import write_image
from s3d_splat.types import Capture, CaptureCluster, CaptureView, InstanceInfo, Lens

WIDTH, HEIGHT, FOCAL = 240, 180, 220.0
LENS = Lens(FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, 0.0, 0.0, 0.0, 0.0)
DEPTH_SCALE = 0.0005  # units for one count
WALL, BLOCK = 5.0, 3.5  # depths of the two surfaces, in the world of the poses
TABLE = (InstanceInfo(1, 1, "wall", False, 1.0), InstanceInfo(2, 2, "block", True, 1.0))
COUNT = 7


def relief_capture(folder: Path) -> Capture:
    """The capture of one cluster, with everything known; its files are written into `folder`."""
    views = tuple(_view(folder, index) for index in range(COUNT))
    cluster = CaptureCluster(views, instances=TABLE)
    return Capture(folder, "test", tuple(view.name for view in views), (cluster,))


def without(capture: Capture, **unknown: object) -> Capture:
    """The capture with fields of all its views replaced."""
    clusters = tuple(
        replace(cluster, views=tuple(replace(view, **unknown) for view in cluster.views)) for cluster in capture.clusters
    )
    return replace(capture, clusters=clusters)


def true_pose(index: int) -> np.ndarray:
    """T_world_camera: along an arc, looking slightly inwards, with some roll."""
    share = index / (COUNT - 1) - 0.5
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [4 * share, -12 * share, 5 * share * share], degrees=True).as_matrix()
    pose[:3, 3] = [2.0 * share, 0.3 * np.sin(4 * share), 0.4 * share]
    return pose


def true_depth(index: int) -> np.ndarray:
    """Of every pixel, along z."""
    return _look(true_pose(index))[1]


def _view(folder: Path, index: int) -> CaptureView:
    name, pose = f"{index:02d}.png", true_pose(index)
    image, depth, masks = _look(pose)
    paths = {kind: folder / kind / name for kind in ("images", "depth", "instances")}
    write_image(paths["images"], image)
    write_image(paths["depth"], np.rint(depth / DEPTH_SCALE).astype(np.uint16))
    write_image(paths["instances"], masks.astype(np.uint16))
    return CaptureView(
        name,
        paths["images"],
        WIDTH,
        HEIGHT,
        LENS,
        torch.from_numpy(pose),
        split="test" if index == 4 else "train",
        depth_path=paths["depth"],
        depth_scale=DEPTH_SCALE,
        instance_path=paths["instances"],
    )


def _look(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours, depth and masks (1 = wall, 2 = block) from a pose."""
    row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(column - LENS.cx) / FOCAL, (row - LENS.cy) / FOCAL, np.ones_like(row)], axis=-1) @ pose[:3, :3].T
    far, near = ((plane - pose[2, 3]) / rays[..., 2] for plane in (WALL, BLOCK))
    hit = pose[:3, 3] + near[..., None] * rays
    is_block = (np.abs(hit[..., 0]) < 0.8) & (np.abs(hit[..., 1]) < 0.6)
    depth = np.where(is_block, near, far)  # rays are one unit of depth long
    hit = pose[:3, 3] + depth[..., None] * rays
    place = np.stack([(hit[..., 1] + 6) * 60, (hit[..., 0] + 6) * 60 + 100 * is_block])
    texture = np.stack([map_coordinates(channel, place, order=1, mode="wrap") for channel in _texture()], axis=-1)
    return (texture * np.where(is_block, 0.55, 1.0)[..., None] * 255).astype(np.uint8), depth, 1 + is_block


@cache
def _texture() -> np.ndarray:
    """Smooth coloured noise in 0.5..1."""
    noise = np.random.default_rng(5).random((3, 800, 800))
    smooth = sum(gaussian_filter(noise, (0, sigma, sigma), mode="wrap") * sigma for sigma in (1.5, 4.0))
    low, high = np.percentile(smooth, [1, 99])
    return 0.5 + 0.5 * np.clip((smooth - low) / (high - low), 0, 1)
