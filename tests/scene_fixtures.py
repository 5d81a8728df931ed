"""A tiny scene folder for tests: a wall and two upright squares seen by six cameras, with exact depth and labels."""

from __future__ import annotations

from pathlib import Path

import torch

from s3d_splat.geometry.cameras import ray_directions, unproject_depth
from s3d_splat.io.scene_writer import SceneWriter, TruthPoints
from s3d_splat.types import Camera, ClassInfo, InstanceInfo, Observation, ProxyGeometry, Split

WIDTH, HEIGHT, FRAMES = 32, 24, 6
CLASSES = (ClassInfo(1, "wall", False), ClassInfo(5, "chair", True))
INSTANCES = (
    InstanceInfo(1, 1, "wall", False, 1.0),
    InstanceInfo(2, 5, "chair", True, 1.0, "red chair"),
    InstanceInfo(3, 5, "chair", True, 0.5),
)
CLASS_OF_INSTANCE = torch.tensor([0, 1, 5, 5])
COLOUR_OF_INSTANCE = torch.tensor([[0, 0, 0], [200, 200, 190], [220, 30, 30], [30, 60, 220]], dtype=torch.uint8)
# The world: a wall at z = 3 and two upright squares (centre x, centre y, z, half side), all facing the cameras.
SQUARES = ((-0.6, 0.0, 2.0, 0.35), (0.6, 0.1, 2.4, 0.4))


def tiny_camera(index: int) -> Camera:
    """The camera of frame `index`: looking along +z, a little further to the right each time."""
    pose = torch.eye(4)
    pose[0, 3] = 0.1 * (index - 2.5)
    return Camera(pose, fx=28.0, fy=28.0, cx=WIDTH / 2, cy=HEIGHT / 2, width=WIDTH, height=HEIGHT)


def tiny_observation(camera: Camera) -> Observation:
    """What `camera` (of `tiny_camera`) sees, exactly."""
    centre, directions = camera.T_world_camera[:3, 3], ray_directions(camera)
    depth = torch.full((camera.height, camera.width), 3.0)
    instances = torch.ones(camera.height, camera.width, dtype=torch.int32)
    for instance, (x, y, z, half) in reversed(list(enumerate(SQUARES, start=2))):  # the nearer one last
        hit = centre + z * directions
        inside = ((hit[..., 0] - x).abs() < half) & ((hit[..., 1] - y).abs() < half)
        depth[inside], instances[inside] = z, instance
    return Observation(
        image=COLOUR_OF_INSTANCE[instances.long()],
        depth=depth,
        instances=instances,
        semantics=CLASS_OF_INSTANCE[instances.long()].to(torch.int32),
    )


def tiny_split(index: int) -> Split:
    """Frame 3 is the test frame."""
    return "test" if index == 3 else "train"


def write_tiny_scene(folder: Path, *, frames: int = FRAMES, truth: bool = False) -> Path:
    """Write a scene of `frames` images of 32x24 pixels with a wall and two chairs; returns `folder`."""
    points, colours, labels = [], [], []
    with SceneWriter(folder) as writer:
        for index in range(frames):
            camera = tiny_camera(index)
            pixels = tiny_observation(camera)
            assert pixels.depth is not None
            assert pixels.instances is not None
            writer.add_frame(f"{index:04d}.png", camera, tiny_split(index), pixels)
            if truth:
                writer.add_truth_frame(f"{index:04d}.png", camera, pixels)
            if tiny_split(index) == "train":
                points.append(unproject_depth(pixels.depth, camera).reshape(-1, 3))
                colours.append(pixels.image.reshape(-1, 3).float() / 255)
                labels.append(pixels.instances.reshape(-1))
        instance = torch.cat(labels)
        writer.finish(
            proxy=ProxyGeometry(points=torch.cat(points), colours=torch.cat(colours)),
            classes=CLASSES,
            instances=INSTANCES,
            truth_classes=CLASSES if truth else None,
            truth_points=TruthPoints(torch.cat(points), instance, CLASS_OF_INSTANCE[instance.long()]) if truth else None,
        )
    return folder
