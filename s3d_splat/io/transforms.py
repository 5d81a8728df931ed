"""`transforms.json`, nerfstudio's description of posed images: intrinsics, poses, file names and the split, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opencv_from_opengl
from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.io.intrinsics import is_pinhole, read_camera, read_depth_scale
from s3d_splat.io.labels import read_json
from s3d_splat.io.paths import normal_path
from s3d_splat.io.poses import read_pose
from s3d_splat.io.splits import frame_splits
from s3d_splat.types import Camera, Frame, Lens


@dataclass(frozen=True)
class Transforms:
    """What `transforms.json` says; the files it names are not opened."""

    frames: tuple[Frame, ...]
    proxy_path: Path


def read_transforms(root: Path) -> Transforms:
    """Read `root/transforms.json`.

    Raises:
        S3DError: missing, malformed, impossible intrinsics, a pose that is not finite or not rigid, a path outside the
            folder, two frames of one name, a contradicting split.
    """
    path = root / "transforms.json"
    meta, names = read_rows(path)
    _check_unique(names, path)
    rows = meta["frames"]
    splits = frame_splits(meta, names, path)
    frames = tuple(_read_frame(root, meta, row, splits[names[i]], frame_label(i, names[i])) for i, row in enumerate(rows))
    return Transforms(frames, inside(root, meta.get("ply_file_path", "proxy.ply"), f"{path}: ply_file_path"))


def read_rows(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The content of a `transforms.json`, and the `file_path` of every row of its `frames`.

    Raises:
        S3DError: missing or malformed.
    """
    meta = read_json(
        path,
        why="it holds the cameras of a scene folder",
        fix="name a folder that `s3d-splat synth`, `s3d-splat prepare` or nerfstudio's `ns-process-data` wrote",
    )
    if not isinstance(meta, dict) or not isinstance(meta.get("frames"), list) or not meta["frames"]:
        raise S3DError(f"{path} has no frames", why="a scene is made of posed images", fix="add at least one frame")
    return meta, _file_names(meta["frames"], path)


def frame_label(index: int, file_path: str) -> str:
    """How messages name a frame."""
    return f"frame {index} ({file_path})"


def frame_name(file_path: str) -> str:
    """The name of a frame's files in other folders: `images/left/01.jpg` is `left_01`."""
    path = PurePosixPath(normal_path(file_path))
    parts = path.parts[1:] if len(path.parts) > 1 and path.parts[0] == "images" else path.parts
    return "_".join([*parts[:-1], path.stem])


def inside(root: Path, file_path: Any, where: str) -> Path:
    """`root / file_path`.

    Raises:
        S3DError: the path is no relative path, or climbs out of the folder.
    """
    normal = normal_path(str(file_path))
    absolute = normal.startswith("/") or normal[1:2] == ":"  # with a drive letter
    climbing = normal == ".." or normal.startswith("../")
    if not isinstance(file_path, str) or not file_path or "\0" in normal or absolute or climbing:
        raise S3DError(
            f"{where} is {file_path!r}",
            why="files of a scene are named relative to its folder, and lie inside it",
            fix="move the file into the scene folder and name it like images/0001.png",
        )
    return root / normal


def _file_names(rows: Sequence[Any], path: Path) -> list[str]:
    names: list[str] = []
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("file_path"), str):
            raise S3DError(f"{path}: frame {index} has no file_path", why="a frame is an image", fix="add its file_path")
        names.append(row["file_path"])
    return names


def _check_unique(names: Sequence[str], path: Path) -> None:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        other = first.setdefault(frame_name(name), index)
        if other != index:
            raise S3DError(
                f"{path}: frames {other} ({names[other]}) and {index} ({name}) have one name",
                why=f"renders and evaluation call both {frame_name(name)}",
                fix="remove the frame that is there twice, or rename one of the images",
            )


def _read_frame(root: Path, meta: Mapping[str, Any], row: Mapping[str, Any], split: Any, where: str) -> Frame:
    camera, lens = _undistorted(meta, row, where)
    scale = read_depth_scale(meta, row, "depth_unit_scale_factor", where, default=0.001)
    optional = {
        key: None if row.get(key) is None else inside(root, row[key], f"{where}: {key}")
        for key in ("depth_file_path", "instance_file_path", "semantic_file_path", "mask_path")
    }
    return Frame(
        file_path=row["file_path"],
        camera=camera,
        split=split,
        image_path=inside(root, row["file_path"], f"{where}: file_path"),
        depth_path=optional["depth_file_path"],
        instance_path=optional["instance_file_path"],
        semantic_path=optional["semantic_file_path"],
        lens=lens,
        depth_scale=scale,
        mask_path=optional["mask_path"],
    )


def _undistorted(meta: Mapping[str, Any], row: Mapping[str, Any], where: str) -> tuple[Camera, Lens | None]:
    lens, width, height = read_camera(meta, row, where)
    pose = opencv_from_opengl(torch.from_numpy(read_pose(row.get("transform_matrix"), where)).to(torch.float32))
    if is_pinhole(lens):
        return Camera(pose, lens.fx, lens.fy, lens.cx, lens.cy, width, height), None
    return Camera(pose, *undistorted_intrinsics(lens, width, height), width, height), lens
