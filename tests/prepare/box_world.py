"""A closed room of six checkered walls with four pillars, seen from a walk in it, with exact depth and labels."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from s3d_splat.geometry.cameras import opengl_from_opencv, ray_directions
from s3d_splat.types import Camera, Frame, PosedCluster

WIDTH, HEIGHT, FRAMES = 64, 48, 24
SPANS = (range(0, 14), range(10, 24))  # images of each cluster
SIZE = torch.tensor([2.0, 1.4, 1.7], dtype=torch.float64)  # half of the room, metres; y is up

PILLARS = tuple(
    (torch.tensor((x, z), dtype=torch.float64), 0.12) for x, z in ((1.4, 0.2), (1.2, 1.0), (0.3, 1.3), (-0.5, 1.2))
)
OBJECTS = 6 + len(PILLARS)


def box_camera(index: int) -> Camera:
    """Walking on an ellipse, looking outwards, a little up and down; no two axes of the motion are alike."""
    angle = 0.07 * index
    centre = torch.tensor([0.8 * math.cos(angle), 0.1 * math.sin(3 * angle), 0.6 * math.sin(angle)], dtype=torch.float64)
    look = 0.6 * angle + 0.4
    forward = torch.tensor([math.cos(look), 0.25 * math.sin(2 * angle), math.sin(look)], dtype=torch.float64)
    forward = forward / forward.norm()
    right = torch.linalg.cross(forward, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    right = right / right.norm()
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    pose[:3, 3] = centre
    return Camera(pose, 40.0, 40.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def box_pixels(camera: Camera) -> tuple[np.ndarray, torch.Tensor, np.ndarray]:
    """Colours (uint8), depth (metres), and the wall (1..6) or pillar behind every pixel."""
    directions, centre = ray_directions(camera), camera.T_world_camera[:3, 3]
    distance = (torch.sign(directions) * SIZE - centre) / directions
    depth, axis = distance.min(dim=-1)
    wall = 1 + 2 * axis + (directions.gather(-1, axis[..., None])[..., 0] > 0)
    for number, (middle, half) in enumerate(PILLARS, start=7):
        flat, start = directions[..., (0, 2)], middle - centre[[0, 2]]
        near = ((start - half * torch.sign(flat)) / flat).max(dim=-1).values  # a pillar stands from floor to ceiling
        far = ((start + half * torch.sign(flat)) / flat).min(dim=-1).values
        hit = (near < far) & (near > 0) & (near < depth)
        depth, wall = torch.where(hit, near, depth), torch.where(hit, number, wall)
    points = centre + depth[..., None] * directions
    checker = torch.floor(points * 3 + 0.5).sum(-1) % 2
    noise = (torch.sin(points @ torch.tensor([37.0, 59.0, 83.0], dtype=torch.float64)) + 1) * 30
    colours = torch.stack([40 + 15 * wall + noise, 60 + 90 * checker + noise, 200 - 15 * wall + noise], dim=-1)
    return colours.clamp(0, 255).to(torch.uint8).numpy(), depth, wall.numpy().astype(np.uint16)


def box_cluster(frames: int = FRAMES) -> tuple[PosedCluster, dict[str, torch.Tensor]]:
    """The walk as one posed cluster, and the depth of its frames by `file_path` (in millimetre counts' metres)."""
    made, depth = [], {}
    for index in range(frames):
        camera, path = box_camera(index), Path(f"{index:04d}.png")
        made.append(Frame(f"images/{path}", camera, "train", path, path, None, None, None))
        depth[f"images/{path}"] = box_pixels(camera)[1].float()
    return PosedCluster(tuple(made)), depth


def write_box_capture(folder: Path, *, masks: bool = True, spans: tuple[range, ...] = SPANS) -> Path:
    """The walk as a raw capture in clusters: the second one in a gauge of its own, with ids of its own."""
    for name in (
        "images",
        *(f"clusters/{number}/{kind}" for number in range(len(spans)) for kind in ("depth", "instances")),
    ):
        (folder / name).mkdir(parents=True)
    rows: list[list[dict]] = [[] for _ in spans]
    for index in range(max(span.stop for span in spans)):
        camera = box_camera(index)
        colours, depth, walls = box_pixels(camera)
        Image.fromarray(colours).save(folder / "images" / f"{index:04d}.png")
        for number, span in enumerate(spans):
            if index not in span:
                continue
            place = folder / "clusters" / str(number)
            counts = (depth * 1000).round().numpy().astype(np.uint16)
            Image.fromarray(counts).save(place / "depth" / f"{index:04d}.png")
            if masks:
                Image.fromarray((walls + 20 * number).astype(np.uint16)).save(place / "instances" / f"{index:04d}.png")
            pose = opengl_from_opencv(moved(camera, number).T_world_camera).tolist()
            rows[number].append({"file_path": f"images/{index:04d}.png", "transform_matrix": pose})
    for number in range(len(spans)):
        place = folder / "clusters" / str(number)
        intrinsics = {"fl_x": 40.0, "fl_y": 40.0, "cx": WIDTH / 2, "cy": HEIGHT / 2, "w": WIDTH, "h": HEIGHT}
        meta = {**intrinsics, "depth_scale": 0.001 * gauge_scale(number), "frames": rows[number]}
        (place / "transforms.json").write_text(json.dumps(meta))
        table = [
            {"id": wall + 20 * number, "class_id": 5 + wall % 2, "class_name": ("odd", "even")[wall % 2], "is_thing": True}
            for wall in range(1, OBJECTS + 1)
        ]
        (place / "instances.json").write_text(json.dumps(table if masks else []))
    return folder


def gauge_scale(number: int) -> float:
    """How long a metre is in the gauge of a cluster."""
    return 1.0 + 0.5 * number


def moved(camera: Camera, number: int) -> Camera:
    """The camera in the gauge of a cluster: scaled, turned about y, shifted."""
    turn = torch.eye(4, dtype=torch.float64)
    angle = 0.7 * number
    turn[0, 0] = turn[2, 2] = math.cos(angle)
    turn[0, 2], turn[2, 0] = math.sin(angle), -math.sin(angle)
    pose = camera.T_world_camera.clone()
    pose[:3, 3] *= gauge_scale(number)
    pose = turn @ pose
    pose[:3, 3] += number * torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    return replace(camera, T_world_camera=pose)
