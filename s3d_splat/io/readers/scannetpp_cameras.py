"""Cameras of the frames that the iPhone of ScanNet++ took."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.labels import read_json
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.colmap import import_colmap, model_place
from s3d_splat.io.readers.names import natural_key
from s3d_splat.io.readers.rgbd import pixel_camera
from s3d_splat.types import CaptureView, Lens, ProxyGeometry

_LOG = logging.getLogger("s3d_splat")
PHONE_POSES = "pose_intrinsic_imu.json"


def posed_views(place: Path) -> tuple[tuple[CaptureView, ...], ProxyGeometry | None]:
    """Views of all frames that have a pose, in their order, not yet with the size of their images; and points.

    Raises:
        S3DError: the poses are damaged, missing, or of cameras that are not read.
    """
    refined = model_place(place / "colmap")
    has_file = (place / PHONE_POSES).is_file()
    if refined is not None and (not has_file or importlib.util.find_spec("pycolmap") is not None):
        return _model_views(place, refined)
    if refined is not None:
        _LOG.warning("The cameras are those of the phone: to read the refined ones, pip install 's3d-splat[colmap]'.")
    return _phone_views(place), None


def _model_views(place: Path, refined: Path) -> tuple[tuple[CaptureView, ...], ProxyGeometry | None]:
    colmap = import_colmap()
    model = colmap.read_model(refined)
    posed = {Path(picture.name).name: picture for picture in model.images.values() if picture.has_pose}
    views = [
        colmap.model_view(place / "rgb" / name, name, posed[name], model.cameras[posed[name].camera_id])
        for name in sorted(posed, key=natural_key)
    ]
    bent = next((view.name for view in views if view.lens is None), None)
    if bent is not None:
        raise S3DError(
            f"{bent}: the model in {refined} has a camera beyond k1 k2 p1 p2",
            why="depth lies over the images as they are, which then cannot be undistorted",
            fix=f"remove colmap/, so that {PHONE_POSES} is read",
        )
    return tuple(_with_depth(view, place) for view in views), colmap.model_points(model)


def _phone_views(place: Path) -> tuple[CaptureView, ...]:
    """The frames of the phone's own tracking."""
    path = place / PHONE_POSES
    meta: Any = read_json(path, why="it holds the poses", fix="download it again")
    if not isinstance(meta, dict):
        raise S3DError(f"{path} is no object", why="it holds a row for each frame", fix="download it again")
    views = []
    for stem in sorted(meta, key=natural_key):
        where = f"{path}: {stem}"
        try:
            pose = np.array(meta[stem]["aligned_pose"], dtype=np.float64).reshape(4, 4)
            matrix = np.array(meta[stem]["intrinsic"], dtype=np.float64).reshape(3, 3)
        except (KeyError, TypeError, ValueError) as error:
            raise S3DError(
                f"{where}: no pose and intrinsics", why=f"aligned_pose and intrinsic: {error!r}", fix="download it again"
            ) from error
        if not np.isfinite(pose).all():
            continue
        camera = pixel_camera(matrix, where)
        name = f"{stem}.jpg"
        view = CaptureView(
            name=name,
            image_path=place / "rgb" / name,
            width=0,
            height=0,
            lens=Lens(camera.fx, camera.fy, camera.cx, camera.cy, 0.0, 0.0, 0.0, 0.0),
            T_cluster_camera=torch.from_numpy(read_pose(pose, where, called="aligned_pose")),
        )
        views.append(_with_depth(view, place))
    return tuple(views)


def _with_depth(view: CaptureView, place: Path) -> CaptureView:
    path = place / "depth" / f"{Path(view.name).stem}.png"
    return replace(view, depth_path=path if path.is_file() else None)
