"""Writing a scene folder, frame by frame: nothing stands under its final name before it is complete."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import PARTIAL, replacing, unwritable, write_json, write_npz, write_text
from s3d_splat.io.images import write_image
from s3d_splat.io.paths import files_below
from s3d_splat.io.ply import write_proxy
from s3d_splat.io.results import write_depth_png, write_id_png
from s3d_splat.io.transforms import frame_name
from s3d_splat.io.transforms_writer import opengl_rows, scene_transforms, shared_intrinsics, written_intrinsics
from s3d_splat.types import Camera, ClassInfo, InstanceInfo, Lens, Observation, ProxyGeometry, Split


@dataclass(frozen=True)
class TruthPoints:
    """Labelled points on the surfaces of the world, for evaluation."""

    xyz: Float[Tensor, "n 3"]  # metres
    instance: Int[Tensor, " n"]  # 0 = none
    semantic: Int[Tensor, " n"]  # 0 = unlabelled


@dataclass(frozen=True)
class FrameLayers:
    """What a frame has besides its image; None = nothing."""

    depth: Float[Tensor, "h w"] | None = None  # metres along z, 0 = none; over 65.535 m is written as none
    instances: Int[Tensor, "h w"] | None = None  # 0 = unlabelled
    semantics: Int[Tensor, "h w"] | None = None  # class ids, 0 = unlabelled
    mask: Bool[Tensor, "h w"] | None = None  # the pixels that count; None: all of them
    mask_name: str | None = None  # of the mask's file, without suffix: frames of one name share it; None: the frame's own


class SceneWriter:
    """Writes a scene folder (`with SceneWriter(folder) as writer: writer.add_frame(...); ...; writer.finish(...)`).

    Everything goes to a temporary folder beside the final one (or to `temporary`, on the same file system), which takes its
    place in `finish`; leaving the block without `finish` removes it.

    Raises (constructor):
        S3DError: the folder exists already, and either `replace` is off or it is no scene folder.
    """

    def __init__(self, folder: Path, *, replace: bool = False, temporary: Path | None = None) -> None:
        self._folder = folder.absolute()
        check_new_scene(self._folder, replace=replace)
        self._partial = temporary or self._folder.with_name(f"{PARTIAL}{uuid.uuid4().hex[:8]}-{self._folder.name}")
        self._frames: list[dict[str, Any]] = []
        self._truth_frames: list[dict[str, Any]] = []

    def __enter__(self) -> SceneWriter:
        try:
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def add_frame(self, name: str, camera: Camera, split: Split, pixels: Observation, *, lens: Lens | None = None) -> None:
        """Write one frame: its image as `images/NAME`, and what there is of depth, instances and semantics.

        Args:
            name: file name with the suffix .png or .jpg; unique in the scene.
            camera: pose, and the pinhole intrinsics (with `lens`: only the pose and the size count).
            pixels: all of the size of the camera; depths over 65.535 m are written as none.
            lens: the camera that took the image, if it is not free of distortion.
        """
        layers = FrameLayers(pixels.depth, pixels.instances, pixels.semantics, pixels.mask)
        self.add_image(name, camera, split, pixels.image, layers, lens=lens)

    def add_image(
        self,
        name: str,
        camera: Camera,
        split: Split,
        image: UInt8[Tensor, "h w 3"],
        layers: FrameLayers,
        *,
        lens: Lens | None = None,
    ) -> None:
        """As `add_frame`, with the layers apart from the image."""
        write_image(self._partial / "images" / name, image.cpu().numpy())
        self._add_row(name, camera, split, layers, lens)

    def add_image_file(self, image: Path, name: str, camera: Camera, split: Split, layers: FrameLayers) -> None:
        """Write one frame whose image file needs no change: its bytes are copied to `images/NAME`.

        Args:
            image: a PNG or JPEG file free of distortion.
            name: file name with the suffix of `image`; unique in the scene, without its suffix too.
            camera: pose and intrinsics.

        Raises:
            S3DError: the file system refuses.
        """
        with replacing(self._partial / "images" / name, durable=False) as temporary:
            shutil.copyfile(image, temporary)
        self._add_row(name, camera, split, layers, None)

    def add_text(self, name: str, text: str) -> None:
        """Write a file of text, such as a report, into the scene folder."""
        write_text(self._partial / name, text)

    def add_truth_folder(self, folder: Path) -> None:
        """Take a whole folder of truth as it is: as hard links where the file system can, else copied.

        Raises:
            S3DError: the file system refuses.
        """
        target = self._partial / "truth"
        try:
            for path in files_below(folder):
                place = target / path.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(path, place)
        except OSError as error:
            raise unwritable(self._folder / "truth", error) from error

    def add_truth_frame(self, name: str, camera: Camera, pixels: Observation) -> None:
        """Write what evaluation may compare one frame with: its true pose and its true depth, instances and semantics."""
        row = {"file_path": f"images/{name}", "transform_matrix": opengl_rows(camera)} | written_intrinsics(camera, None)
        layers = FrameLayers(pixels.depth, pixels.instances, pixels.semantics)
        self._truth_frames.append(row | _write_layers(self._partial / "truth", name, layers))

    def finish(
        self,
        *,
        proxy: ProxyGeometry,
        classes: Sequence[ClassInfo],
        instances: Sequence[InstanceInfo],
        truth_classes: Sequence[ClassInfo] | None = None,
        truth_points: TruthPoints | None = None,
    ) -> None:
        """Write the tables and the points, then give the folder its final name."""
        write_json(self._partial / "transforms.json", scene_transforms(self._frames))
        write_json(self._partial / "classes.json", [asdict(entry) for entry in classes])
        write_json(self._partial / "instances.json", [_instance_row(entry) for entry in instances])
        write_proxy(self._partial / "proxy.ply", proxy)
        truth = self._partial / "truth"
        if self._truth_frames:
            write_json(truth / "transforms.json", {"camera_model": "OPENCV"} | shared_intrinsics(self._truth_frames))
        if truth_classes is not None:
            write_json(truth / "classes.json", [asdict(entry) for entry in truth_classes])
        if truth_points is not None:
            _write_truth_points(truth / "points.npz", truth_points)
        _move_into_place(self._partial, self._folder)

    def _add_row(self, name: str, camera: Camera, split: Split, layers: FrameLayers, lens: Lens | None) -> None:
        row: dict[str, Any] = {"file_path": f"images/{name}", "split": split, "transform_matrix": opengl_rows(camera)}
        self._frames.append(row | written_intrinsics(camera, lens) | _write_layers(self._partial, name, layers))


def _write_layers(folder: Path, name: str, given: FrameLayers) -> dict[str, str]:
    layers: dict[str, tuple[str, Tensor | None]] = {
        "depth_file_path": ("depth", given.depth),
        "instance_file_path": ("instances", given.instances),
        "semantic_file_path": ("semantics", given.semantics),
    }
    written = {}
    for key, (kind, values) in layers.items():
        if values is not None:
            path = f"{kind}/{frame_name(f'images/{name}')}.png"
            write = write_depth_png if kind == "depth" else write_id_png
            write(folder / path, values)
            written[key] = path
    if given.mask is not None:
        path = f"masks/{given.mask_name or frame_name(f'images/{name}')}.png"
        if given.mask_name is None or not (folder / path).exists():
            write_image(folder / path, given.mask.cpu().numpy().astype(np.uint8) * np.uint8(255))
        written["mask_path"] = path
    return written


def _instance_row(entry: InstanceInfo) -> Mapping[str, Any]:
    return {key: value for key, value in asdict(entry).items() if key != "name" or value is not None}


def _write_truth_points(path: Path, points: TruthPoints) -> None:
    write_npz(
        path,
        xyz=points.xyz.cpu().numpy().astype(np.float32),
        instance=points.instance.cpu().numpy().astype(np.int32),
        semantic=points.semantic.cpu().numpy().astype(np.int32),
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)  # a link of a link would point from another place
    except OSError:
        shutil.copyfile(source, target)


def check_new_scene(folder: Path, *, replace: bool = False) -> None:
    """Check that a scene may be written to `folder`.

    Raises:
        S3DError: the folder holds something, and either `replace` is off or it is no scene folder.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if replace and (folder / "transforms.json").is_file():
        return
    raise S3DError(
        f"{folder} exists already" + (" and is no scene folder" if replace else ""),
        why="a scene folder is written as a whole, and nothing of yours is overwritten",
        fix="name another folder, or remove this one",
    )


def _move_into_place(partial: Path, folder: Path) -> None:
    old = partial.with_name(f"{partial.name}-old")
    try:
        if folder.exists():
            os.replace(folder, old)
        os.replace(partial, folder)
    except OSError as error:
        if old.exists():
            os.replace(old, folder)
        raise unwritable(folder, error) from error
    shutil.rmtree(old, ignore_errors=True)
