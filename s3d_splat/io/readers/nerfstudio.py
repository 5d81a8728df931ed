"""nerfstudio's layout, which is also that of a scene folder: `transforms.json` and the files that it names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.intrinsics import read_camera, read_depth_scale
from s3d_splat.io.paths import normal_path
from s3d_splat.io.ply import read_proxy
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left, read_tables
from s3d_splat.io.readers.names import natural_key, scene_names
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.rows import row_pose
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.splits import frame_splits
from s3d_splat.io.transforms import frame_label, inside, read_rows
from s3d_splat.types import Capture, CaptureCluster, CaptureView, ProxyGeometry, Split

_LOG = logging.getLogger("s3d_splat")


class NerfstudioReader:
    """Posed images, optionally with depth and masks; frames whose image file is missing are left out with a warning."""

    name = "nerfstudio"

    def recognises(self, folder: Path) -> bool:
        """`transforms.json` is there."""
        return (folder / "transforms.json").is_file()

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order of their names; every frame needs a pose."""
        path = folder / "transforms.json"
        meta, written = read_rows(path)
        paths = [normal_path(file_path) for file_path in written]
        _check_once(paths, path)
        splits = frame_splits(meta, paths, path) if _has_splits(meta) else {}
        there = sorted(_present(folder, paths), key=natural_key)
        check_images_left(folder, there)
        there = choose(there, choice, lambda file_path: file_sharpness(folder / file_path), advance)
        names = scene_names(there)
        indices = {file_path: index for index, file_path in enumerate(paths)}
        views = tuple(
            _view(folder, meta, indices[file_path], names[file_path], splits.get(file_path)) for file_path in there
        )
        instances, classes = read_tables(folder, views)
        clusters = (CaptureCluster(views, instances),)
        check_files(clusters, advance)
        return Capture(
            root=folder,
            format=self.name,
            names=tuple(view.name for view in views),
            clusters=clusters,
            classes=classes,
            points=_points(folder, meta),
            truth=folder / "truth" if (folder / "truth").is_dir() else None,
        )


def _view(folder: Path, meta: Mapping[str, Any], index: int, name: str, split: Split | None) -> CaptureView:
    row = meta["frames"][index]
    where = frame_label(index, row["file_path"])
    camera = read_camera(meta, row, where)
    pose = row_pose(row, where)
    if pose is None:
        raise S3DError(
            f"{where}: transform_matrix is missing",
            why="in this layout every frame has its pose",
            fix="add it, or hand in the folder of images alone, so that poses are found from them",
        )
    files = {
        key: None if row.get(key) is None else inside(folder, row[key], f"{where}: {key}")
        for key in ("depth_file_path", "instance_file_path", "mask_path")
    }
    return CaptureView(
        name=name,
        image_path=inside(folder, row["file_path"], f"{where}: file_path"),
        width=camera.width,
        height=camera.height,
        lens=camera.lens,
        T_cluster_camera=pose,
        split=split,
        depth_path=files["depth_file_path"],
        depth_scale=read_depth_scale(meta, row, "depth_unit_scale_factor", where, default=0.001),
        instance_path=files["instance_file_path"],
        mask_path=files["mask_path"],
    )


def _check_once(paths: Sequence[str], where: Path) -> None:
    seen: set[str] = set()
    for file_path in paths:
        if file_path in seen:
            raise S3DError(
                f"{where}: {file_path} is there twice", why="a frame is one image", fix="remove one of the two frames"
            )
        seen.add(file_path)


def _has_splits(meta: Mapping[str, Any]) -> bool:
    listed = any(meta.get(f"{split}_filenames") for split in ("train", "val", "test"))
    return listed or any(row.get("split") is not None for row in meta["frames"])


def _present(folder: Path, paths: Sequence[str]) -> list[str]:
    where = folder / "transforms.json"
    there = [file_path for file_path in paths if inside(folder, file_path, f"{where}: file_path").is_file()]
    missing = len(paths) - len(there)
    if missing and there:
        first = next(file_path for file_path in paths if file_path not in set(there))
        _LOG.warning("%d of %d frames are left out: their images are missing, such as %s", missing, len(paths), first)
    return there


def _points(folder: Path, meta: Mapping[str, Any]) -> ProxyGeometry | None:
    named = meta.get("ply_file_path")
    path = inside(folder, "proxy.ply" if named is None else named, f"{folder / 'transforms.json'}: ply_file_path")
    return read_proxy(path) if named is not None or path.exists() else None
