"""A camera path that nerfstudio's `ns-render camera-path` reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.splats import train_cameras
from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.geometry.paths import orbit
from s3d_splat.io.atomic import write_json
from s3d_splat.types import Camera


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `camera-path`: perspective cameras with the vertical field of view of the scene's first train frame.

    Poses are those of the scene's world, in which `ns-train scale3d-splat` trains; a method that moves or scales its world
    needs them moved too. The principal point of the format is the middle of the image.
    """
    first = train_cameras(trained, 1)[0]
    if options.path == "orbit":
        cameras = orbit(train_cameras(trained, options.views), options.frames)
    else:
        cameras = tuple(train_cameras(trained, options.views))
    document = {
        "camera_type": "perspective",
        "render_height": first.height,
        "render_width": first.width,
        "fps": options.fps,
        "seconds": len(cameras) / options.fps,
        "is_cycle": options.path == "orbit",
        "smoothness_value": 0.0,
        "crop": None,
        "camera_path": [_entry(camera) for camera in cameras],
    }
    write_json(out, document)
    notes = [] if _is_centred(first) else ["the cameras' principal point is not the middle of the image; the path's is"]
    return {"cameras": len(cameras), "seconds": document["seconds"], "notes": notes}


def _entry(camera: Camera) -> dict[str, Any]:
    pose = opengl_from_opencv(camera.T_world_camera.double())
    return {
        "camera_to_world": pose.reshape(-1).tolist(),
        "fov": math.degrees(2 * math.atan(camera.height / (2 * camera.fy))),
        "aspect": camera.width / camera.height,
    }


def _is_centred(camera: Camera) -> bool:
    return abs(camera.cx - camera.width / 2) < 0.5 and abs(camera.cy - camera.height / 2) < 0.5
