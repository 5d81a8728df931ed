"""Shelf bins of the Amazon Picking Challenge (MIT-Princeton vision toolbox, Zeng et al., ICRA 2017).

`cam.info.txt` holds the intrinsics of the colour camera and the camera-to-world pose of every frame, each under a comment
that names it; depth is aligned to colour, in tenths of a millimetre with its bits rotated by three; masks lie in `segm/`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt16

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size, read_counts, write_image
from s3d_splat.io.intrinsics import StoredCamera, checked_camera
from s3d_splat.io.labels import classes_of
from s3d_splat.io.poses import read_pose
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left, unnamed_objects
from s3d_splat.io.readers.conversions import run_all
from s3d_splat.io.readers.names import is_image, natural_key
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.types import Capture, CaptureCluster, CaptureView, InstanceInfo, Lens

_INFO = "cam.info.txt"
_DEPTH_SCALE = 1e-4
_POSE = "camera-to-world"
_Sections = dict[str, np.ndarray]  # float64 matrices of any size


class ApcShelfReader:
    """Posed RGB-D views of a shelf bin with instance masks."""

    name = "apc_shelf"

    def recognises(self, folder: Path) -> bool:
        """`cam.info.txt` is there."""
        return (folder / _INFO).is_file()

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order; plain depth is written to `work/depth`."""
        images = sorted(
            (path for path in folder.iterdir() if is_image(path.name) and path.stem.endswith(".color")),
            key=lambda path: natural_key(path.name),
        )
        check_images_left(folder, [image.name for image in images])
        images = choose(images, choice, file_sharpness, advance)
        text = _read_text(folder / _INFO)
        sections = _read_sections(text, folder / _INFO)
        width, height = image_size(images[0], where=images[0].name)
        camera = _camera(sections, width, height, folder / _INFO)
        views = tuple(_view(image, camera, sections, folder) for image in images)
        instances = _instances([view.instance_path for view in views if view.instance_path is not None], text)
        check_files((CaptureCluster(views, instances),), advance)
        plain = tuple(_with_plain_depth(view, work) for view in views)
        run_all([partial(_write_depth, old, new) for old, new in zip(views, plain, strict=True)], advance)
        return Capture(
            root=folder,
            format=self.name,
            names=tuple(view.name for view in views),
            clusters=(CaptureCluster(plain, instances),),
            classes=classes_of(instances, folder / _INFO),
        )


def plain_counts(stored: UInt16[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """Depth in tenths of a millimetre: the stored bits rotated right by three."""
    return (stored >> np.uint16(3)) | (stored << np.uint16(13))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise S3DError(f"{path} cannot be read", why=str(error), fix="copy the folder again") from error


def _read_sections(text: str, path: Path) -> _Sections:
    """The matrices of the file by the comment above them, in lower case."""
    rows: dict[str, list[list[float]]] = {}
    title = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            title = line.lstrip("# ").strip().lower()
        elif line.strip():
            try:
                rows.setdefault(title, []).append([float(value) for value in line.split()])
            except ValueError as error:
                raise S3DError(f"{path}: line {number} is no row of numbers", why=str(error), fix="correct it") from error
    if any(len({len(row) for row in matrix}) > 1 for matrix in rows.values()):
        raise S3DError(f"{path} has a matrix with uneven rows", why="its numbers are matrices", fix="correct it")
    return {title: np.array(matrix) for title, matrix in rows.items()}


def _section(sections: _Sections, path: Path, *words: str) -> Float[np.ndarray, "_ _"]:
    """The matrix whose title has these words, whole: frame-1 is not frame-10."""
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in words]
    found = [matrix for title, matrix in sections.items() if all(pattern.search(title) for pattern in patterns)]
    if not found:
        raise S3DError(f"{path} lacks '{' '.join(words)}'", why="it holds the cameras", fix="copy the folder again")
    return found[0]


def _camera(sections: _Sections, width: int, height: int, path: Path) -> StoredCamera:
    matrix = _section(sections, path, "color camera", "intrinsic")
    if matrix.shape != (3, 3):
        raise S3DError(f"{path}: the colour camera is no 3x3 matrix", why="it holds the cameras", fix="correct it")
    fx, fy, cx, cy = float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2])
    return checked_camera(Lens(fx, fy, cx, cy, 0.0, 0.0, 0.0, 0.0), width, height, str(path))


def _view(image: Path, camera: StoredCamera, sections: _Sections, folder: Path) -> CaptureView:
    frame = image.stem[: -len(".color")]
    pose = _section(sections, folder / _INFO, _POSE, f"for {frame}".lower())
    depth, mask = folder / f"{frame}.depth.png", folder / "segm" / f"{frame}.segm.png"
    return CaptureView(
        name=image.name,
        image_path=image,
        width=camera.width,
        height=camera.height,
        lens=camera.lens,
        T_cluster_camera=torch.from_numpy(read_pose(pose, image.name, called=f"camera-to-world in {_INFO}")),
        depth_path=depth if depth.exists() else None,
        depth_scale=_DEPTH_SCALE,
        instance_path=mask if mask.exists() else None,
    )


def _instances(masks: list[Path], text: str) -> tuple[InstanceInfo, ...]:
    """The objects of the bin; ids and the names in the header both follow the alphabet, so that they meet if as many."""
    objects = unnamed_objects(masks)
    header = re.search(r"^#\s*Objects:\s*(\[.*\])\s*$", text, re.MULTILINE)
    try:
        names = sorted(str(name) for name in json.loads(header.group(1))) if header else []
    except ValueError:
        names = []
    if len(names) != len(objects):
        return objects
    return tuple(
        replace(entry, class_id=index + 1, class_name=name, name=name)
        for index, (entry, name) in enumerate(zip(objects, names, strict=True))
    )


def _with_plain_depth(view: CaptureView, work: Path) -> CaptureView:
    return view if view.depth_path is None else replace(view, depth_path=work / "depth" / f"{Path(view.name).stem}.png")


def _write_depth(old: CaptureView, new: CaptureView) -> None:
    if old.depth_path is not None and new.depth_path is not None and not new.depth_path.exists():
        write_image(new.depth_path, plain_counts(read_counts(old.depth_path, "depth", where=old.name)))
