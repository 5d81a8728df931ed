"""`transforms.json`, nerfstudio's description of posed images: intrinsics, poses, file names and the split, checked."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opencv_from_opengl
from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.io.labels import read_json
from s3d_splat.io.splits import frame_splits
from s3d_splat.types import Camera, Frame, Lens

# Camera models that k1 k2 p1 p2 describe; a fisheye or equirectangular image is no pinhole image behind a lens.
_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
_ROTATION_TOLERANCE = 1e-3  # largest deviation of R^T R from the identity that is taken for rounding
_SNAP = 1e-6  # beyond this the rotation is replaced by the nearest exact one, so that its transpose is its inverse


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
    meta = read_json(
        path,
        why="it holds the cameras of a scene folder",
        fix="name a folder that `s3d-splat synth`, `s3d-splat prepare` or nerfstudio's `ns-process-data` wrote",
    )
    if not isinstance(meta, dict) or not isinstance(meta.get("frames"), list) or not meta["frames"]:
        raise S3DError(f"{path} has no frames", why="a scene is made of posed images", fix="add at least one frame")
    rows = meta["frames"]
    names = _file_names(rows, path)
    splits = frame_splits(meta, names, path)
    frames = tuple(_read_frame(root, meta, row, splits[names[i]], frame_label(i, names[i])) for i, row in enumerate(rows))
    return Transforms(frames, inside(root, meta.get("ply_file_path", "proxy.ply"), f"{path}: ply_file_path"))


def frame_label(index: int, file_path: str) -> str:
    """How messages name a frame."""
    return f"frame {index} ({file_path})"


def frame_name(file_path: str) -> str:
    """The name of a frame's files in other folders: `images/left/01.jpg` is `left_01`."""
    path = PurePosixPath(posixpath.normpath(file_path))
    parts = path.parts[1:] if len(path.parts) > 1 and path.parts[0] == "images" else path.parts
    return "_".join([*parts[:-1], path.stem])


def inside(root: Path, file_path: Any, where: str) -> Path:
    """`root / file_path`.

    Raises:
        S3DError: the path is no relative path, or climbs out of the folder.
    """
    written = str(file_path).replace("\\", "/")
    normal = posixpath.normpath(written)
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
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        other = first.setdefault(frame_name(name), index)
        if other != index:
            raise S3DError(
                f"{path}: frames {other} ({names[other]}) and {index} ({name}) have one name",
                why=f"renders and evaluation call both {frame_name(name)}",
                fix="remove the frame that is there twice, or rename one of the images",
            )
    return names


def _read_frame(root: Path, meta: Mapping[str, Any], row: Mapping[str, Any], split: Any, where: str) -> Frame:
    camera, lens = _read_camera(meta, row, where)
    scale = _number(meta, row, "depth_unit_scale_factor", where, default=0.001)
    if scale <= 0:
        raise S3DError(f"{where}: depth_unit_scale_factor is {scale}", why="depths are positive", fix="0.001: millimetres")
    optional = {
        key: None if row.get(key) is None else inside(root, row[key], f"{where}: {key}")
        for key in ("depth_file_path", "instance_file_path", "semantic_file_path")
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
    )


def _read_camera(meta: Mapping[str, Any], row: Mapping[str, Any], where: str) -> tuple[Camera, Lens | None]:
    model = row.get("camera_model", meta.get("camera_model", "OPENCV"))
    further = [key for key in ("k3", "k4") if _number(meta, row, key, where, default=0.0) != 0]
    if model not in _MODELS or further:
        raise S3DError(
            f"{where}: camera model {model}" + (f" with {', '.join(further)}" if further else ""),
            why=f"images must come from {', '.join(_MODELS)}, with no distortion beyond k1 k2 p1 p2",
            fix="undistort the images first, for example with COLMAP's image_undistorter",
        )
    fx, fy, cx, cy = (_number(meta, row, key, where) for key in ("fl_x", "fl_y", "cx", "cy"))
    width, height = (_whole_number(meta, row, key, where) for key in ("w", "h"))
    if fx <= 0 or fy <= 0:
        raise S3DError(f"{where}: focal length {fx}, {fy}", why="it must be positive (pixels)", fix="correct fl_x and fl_y")
    if not (0 < cx < width and 0 < cy < height):
        raise S3DError(
            f"{where}: principal point {cx}, {cy} is outside the {width}x{height} image",
            why="intrinsics and image size belong together",
            fix="correct cx, cy, w, h (all in pixels of the stored image)",
        )
    pose = torch.from_numpy(_read_pose(row.get("transform_matrix"), where)).to(torch.float32)
    distortion = [_number(meta, row, key, where, default=0.0) for key in ("k1", "k2", "p1", "p2")]
    if not any(distortion):
        return Camera(opencv_from_opengl(pose), fx, fy, cx, cy, width, height), None
    lens = Lens(fx, fy, cx, cy, *distortion)
    return Camera(opencv_from_opengl(pose), *undistorted_intrinsics(lens, width, height), width, height), lens


def _read_pose(value: Any, where: str) -> np.ndarray:
    try:
        pose = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        pose = np.empty(0)
    if pose.shape == (3, 4):
        pose = np.vstack([pose, [0.0, 0.0, 0.0, 1.0]])
    if pose.shape != (4, 4):
        raise S3DError(
            f"{where}: transform_matrix is no 4x4 matrix", why="it is the pose", fix="write four rows of four numbers"
        )
    if not np.isfinite(pose).all():
        raise S3DError(
            f"{where}: the pose (transform_matrix) is not finite",
            why="nothing can be seen from nowhere",
            fix="remove the frame, or find its pose again",
        )
    rotation = pose[:3, :3]
    deviation = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    determinant = float(np.linalg.det(rotation))
    if deviation > _ROTATION_TOLERANCE or determinant < 0 or not np.allclose(pose[3], [0, 0, 0, 1]):
        raise S3DError(
            f"{where}: the pose (transform_matrix) is not rigid (R^T R off by {deviation:.3g}, det R {determinant:.3g})",
            why="a camera is rotated and moved, never scaled, sheared or mirrored",
            fix="divide the scale out of the rotation (and apply it to the whole scene), or find the pose again",
        )
    if deviation > _SNAP:
        left, _, right = np.linalg.svd(rotation)
        pose[:3, :3] = left @ right
    return pose


def _number(meta: Mapping[str, Any], row: Mapping[str, Any], key: str, where: str, *, default: float | None = None) -> float:
    value = row.get(key, meta.get(key, default))
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise S3DError(
            f"{where}: {key} is {'missing' if value is None else repr(value)}",
            why="the camera cannot be known without it" if default is None else "it must be a number",
            fix=f"add {key} to the frame, or for all frames at the top of transforms.json",
        )
    return float(value)


def _whole_number(meta: Mapping[str, Any], row: Mapping[str, Any], key: str, where: str) -> int:
    value = _number(meta, row, key, where)
    if value != int(value) or value < 1:
        raise S3DError(f"{where}: {key} is {value}", why="an image has whole pixels", fix=f"correct {key}")
    return int(value)
