"""Images of hand-made surfaces with exact depth, written as clusters would bring them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.geometry.cameras import ray_directions
from s3d_splat.io.images import write_image
from s3d_splat.types import Camera, Frame, Lens

COUNT = 0.0005  # metres for one count of a depth image


def camera_at(centre: tuple[float, float, float], *, yaw: float = 0.0, width: int = 64, height: int = 48) -> Camera:
    """A camera that looks along z, turned by `yaw` (radians) towards x; its focal length is its width."""
    pose = torch.eye(4, dtype=torch.float64)
    sine, cosine = float(np.sin(yaw)), float(np.cos(yaw))
    pose[:3, :3] = torch.tensor([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]], dtype=torch.float64)
    pose[:3, 3] = torch.tensor(centre, dtype=torch.float64)
    return Camera(pose, float(width), float(width), width / 2, height / 2, width, height)


def source(
    folder: Path,
    name: str,
    camera: Camera,
    depth: Float[Tensor, "h w"] | None = None,
    *,
    cluster: int = 0,
    confidence: Float[Tensor, "h w"] | None = None,
    instances: Int[Tensor, "h w"] | None = None,
    image: UInt8[Tensor, "h w 3"] | None = None,
    lens: Lens | None = None,
    split: str = "train",
) -> Source:
    """Write the files of one image as one cluster has them; depths (metres) are rounded to half a millimetre."""
    own = folder / str(cluster)
    if image is None:
        image = torch.full((camera.height, camera.width, 3), 128, dtype=torch.uint8)
    write_image(folder / "images" / name, image.numpy())
    paths: dict[str, Path | None] = {}
    layers = {"depth": depth, "confidence": confidence, "instances": instances}
    factors = {"depth": 1 / COUNT, "confidence": 255.0, "instances": 1.0}
    for kind, layer in layers.items():
        paths[kind] = None if layer is None else own / kind / name
        if layer is not None:
            counts = np.rint(layer.numpy() * factors[kind])
            write_image(own / kind / name, counts.astype(np.uint8 if kind == "confidence" else np.uint16))
    return Source(
        cluster,
        Frame(
            file_path=f"images/{name}",
            camera=camera,
            split=split,  # type: ignore[arg-type]
            image_path=folder / "images" / name,
            depth_path=paths["depth"],
            instance_path=paths["instances"],
            semantic_path=None,
            lens=lens,
            depth_scale=COUNT,
            confidence_path=paths["confidence"],
        ),
    )


def world_frame(*sources: Source, index: int = 0) -> WorldFrame:
    """The frame of some sources, in the first one's camera."""
    return WorldFrame(sources[0].frame.image_path.name, index, sources[0].frame.camera, sources)


def room_depth(camera: Camera) -> Float[Tensor, "h w"]:
    """Depth of a room, |x| < 2, |y| < 1.2, |z| < 3 metres, with a square pillar of 0.4 metres at x = 0, z = 1.5."""
    pose = camera.T_world_camera
    rays = ray_directions(camera)
    room = torch.tensor([2.0, 1.2, 3.0], dtype=rays.dtype)
    to_walls = ((torch.sign(rays) * room - pose[:3, 3]) / rays).amin(-1)
    corner = torch.tensor([0.2, 10.0, 0.2], dtype=rays.dtype)
    middle = torch.tensor([0.0, 0.0, 1.5], dtype=rays.dtype) - pose[:3, 3]
    sides = torch.stack([(middle - corner) / rays, (middle + corner) / rays])
    enter, leave = sides.amin(0).amax(-1), sides.amax(0).amin(-1)
    is_pillar = (enter < leave) & (enter > 0)
    return torch.where(is_pillar, torch.minimum(enter, to_walls), to_walls).float()
