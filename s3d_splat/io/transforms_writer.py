"""The content of `transforms.json`, as a scene folder is written."""

from __future__ import annotations

from typing import Any

from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.types import Camera, Lens


def opengl_rows(camera: Camera) -> list[list[float]]:
    """The pose of a camera as `transform_matrix`: camera to world, OpenGL axes."""
    return opengl_from_opencv(camera.T_world_camera.detach().cpu().double()).tolist()


def written_intrinsics(camera: Camera, lens: Lens | None) -> dict[str, float | int]:
    """Intrinsics of a stored image: those of the lens that took it, where it is not free of distortion."""
    source = camera if lens is None else lens
    values: dict[str, float | int] = {"fl_x": source.fx, "fl_y": source.fy, "cx": source.cx, "cy": source.cy}
    values |= {"w": camera.width, "h": camera.height}
    distortion = (0.0, 0.0, 0.0, 0.0) if lens is None else (lens.k1, lens.k2, lens.p1, lens.p2)
    return values | dict(zip(("k1", "k2", "p1", "p2"), distortion, strict=True))


def scene_transforms(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """All of `transforms.json`, with the split as lists of names too."""
    names = {split: [row["file_path"] for row in frames if row["split"] == split] for split in ("train", "test")}
    head = {"camera_model": "OPENCV", "depth_unit_scale_factor": 0.001, "ply_file_path": "proxy.ply"}
    lists = {"train_filenames": names["train"], "val_filenames": names["test"], "test_filenames": names["test"]}
    return head | lists | shared_intrinsics(frames)


def shared_intrinsics(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """Intrinsics at the top if all frames agree, else in every frame: nerfstudio reads one or the other, never both."""
    keys = ("fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "p1", "p2")
    if not frames or any(row[key] != frames[0][key] for row in frames for key in keys):
        return {"frames": frames}
    without = [{key: value for key, value in row.items() if key not in keys} for row in frames]
    return {key: frames[0][key] for key in keys} | {"frames": without}
