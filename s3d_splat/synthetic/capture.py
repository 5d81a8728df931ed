"""The built-in room as a raw capture: images, and overlapping clusters that each know only themselves."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.io.atomic import PARTIAL, write_json, write_npz
from s3d_splat.io.images import write_image
from s3d_splat.io.results import write_depth_png, write_id_png
from s3d_splat.io.scene_writer import TruthPoints
from s3d_splat.synthetic.label_faults import LabelFaults
from s3d_splat.synthetic.options import SynthOptions, fault_level
from s3d_splat.synthetic.pose_faults import faulty_depth, faulty_poses
from s3d_splat.synthetic.render import Pinhole, RenderedFrame
from s3d_splat.synthetic.stage import Stage, class_table, stream

CLUSTER_FRAMES = 50
CLUSTER_OVERLAP = 10  # frames that two neighbouring clusters share, at least
_MILLIMETRE = 0.001


@dataclass(frozen=True)
class Gauge:
    """The coordinates of one cluster: `x_gauge = scale * rotation @ x_world + shift`."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, " 3"]

    def moved(self, T_world_camera: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """The pose of a camera in the gauge; its axes keep length 1."""
        pose = np.eye(4)
        pose[:3, :3] = self.rotation @ T_world_camera[:3, :3]
        pose[:3, 3] = self.scale * self.rotation @ T_world_camera[:3, 3] + self.shift
        return pose


def cluster_ranges(frames: int) -> tuple[range, ...]:
    """Windows of `CLUSTER_FRAMES` that cover all frames, evenly spread, sharing at least `CLUSTER_OVERLAP`."""
    length = min(frames, CLUSTER_FRAMES)
    count = 1 + int(np.ceil((frames - length) / (CLUSTER_FRAMES - CLUSTER_OVERLAP)))
    starts = np.rint(np.linspace(0, frames - length, count)).astype(int)
    return tuple(range(int(start), int(start) + length) for start in starts)


def draw_gauge(level: float, rng: np.random.Generator) -> Gauge:
    """At level 1 a scale of 0.5 to 2, any rotation and a shift of 5 m; at level 0 the world itself."""
    scale = 2.0 ** (level * rng.uniform(-1, 1))
    turn = Rotation.random(random_state=int(rng.integers(1 << 31))).as_rotvec()
    direction = rng.normal(size=3)
    shift = level * 5.0 * direction / np.linalg.norm(direction)
    return Gauge(float(scale), Rotation.from_rotvec(level * turn).as_matrix(), shift)


def confidence(depth: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """How far a depth can be trusted, 255 = fully: less at steps of depth, nothing where there is none."""
    rows, columns = np.gradient(depth)
    steepness = np.hypot(rows, columns) / np.maximum(depth, 1e-6)
    return np.where(depth > 0, np.rint(255 / (1 + (steepness / 0.05) ** 2)), 0).astype(np.uint8)


class _Cluster:
    """The files of one cluster, written as the frames come by."""

    def __init__(self, folder: Path, number: int, frames: range, stage: Stage, options: SynthOptions) -> None:
        self._folder, self._frames, self._options, self._camera = folder, frames, options, stage.camera
        self._salt = (number + 1) * 1_000_003  # the same frame is measured anew in every cluster
        self._gauge = draw_gauge(fault_level(options, "gauge"), stream(options.seed, "gauge", number))
        self._poses = faulty_poses(stage.poses[frames.start : frames.stop], options, number)
        self._labels = LabelFaults(options, stage.world.instance_class, stage.world.names, salt=self._salt, own_ids=True)
        self._rows: list[dict[str, Any]] = []

    def add_frame(self, index: int, name: str, frame: RenderedFrame) -> None:
        if index not in self._frames:
            return
        pose = self._gauge.moved(self._poses[index - self._frames.start])
        self._rows.append({"file_path": f"images/{name}", "transform_matrix": _opengl_rows(pose)})
        depth = faulty_depth(frame.depth, index + self._salt, self._options)
        write_depth_png(self._folder / "depth" / name, torch.from_numpy(depth))
        write_image(self._folder / "confidence" / name, confidence(depth))
        if (masks := self._labels.apply(index, frame.instances)) is not None:
            write_id_png(self._folder / "instances" / name, torch.from_numpy(masks[0]))

    def finish(self) -> None:
        scale = {"depth_scale": _MILLIMETRE * self._gauge.scale}
        write_json(self._folder / "transforms.json", _intrinsics(self._camera) | scale | {"frames": self._rows})
        write_json(self._folder / "instances.json", [_without_name(asdict(row)) for row in self._labels.table()])


class CaptureWriter:
    """Writes a raw capture into a temporary folder that takes its final name in `finish`.

    Raises (constructor):
        S3DError: the folder exists already, and either `replace` is off or it is no capture.
    """

    def __init__(self, folder: Path, *, replace: bool = False) -> None:
        self._folder = folder.absolute()
        occupied = self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir()))
        if occupied and not (replace and (self._folder / "clusters").is_dir()):
            raise S3DError(
                f"{folder} exists already" + (" and is no capture" if replace else ""),
                why="a capture is written as a whole, and nothing of yours is overwritten",
                fix="name another folder, or remove this one",
            )
        self._partial = self._folder.with_name(f"{PARTIAL}{os.getpid()}-{self._folder.name}")
        self._truth_rows: list[dict[str, Any]] = []

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def begin(self, stage: Stage, options: SynthOptions) -> None:
        """Fix what is captured and how it falls into clusters."""
        self._stage = stage
        folder = self._partial / "clusters"
        ranges = cluster_ranges(options.frames)
        self._clusters = [_Cluster(folder / str(k), k, frames, stage, options) for k, frames in enumerate(ranges)]

    def add_frame(self, index: int, frame: RenderedFrame) -> None:
        """Frames come in the order of the path."""
        name = f"{index:05d}.png"
        write_image(self._partial / "images" / name, frame.image)
        for cluster in self._clusters:
            cluster.add_frame(index, name, frame)
        truth = self._partial / "truth"
        write_depth_png(truth / "depth" / name, torch.from_numpy(frame.depth))
        write_id_png(truth / "instances" / name, torch.from_numpy(frame.instances))
        write_id_png(truth / "semantics" / name, torch.from_numpy(self._stage.world.instance_class[frame.instances]))
        layers = {"depth": "depth", "instance": "instances", "semantic": "semantics"}
        row = {f"{key}_file_path": f"{layer}/{name}" for key, layer in layers.items()}
        pose = _opengl_rows(self._stage.poses[index])
        self._truth_rows.append({"file_path": f"images/{name}", "transform_matrix": pose} | row)

    def finish(self, points: TruthPoints) -> None:
        """Write the tables, then give the folder its final name."""
        for cluster in self._clusters:
            cluster.finish()
        truth = self._partial / "truth"
        write_json(truth / "transforms.json", _intrinsics(self._stage.camera) | {"frames": self._truth_rows})
        write_json(truth / "classes.json", [asdict(row) for row in class_table(self._stage.world)])
        arrays = {name: getattr(points, name).numpy() for name in ("xyz", "instance", "semantic")}
        write_npz(truth / "points.npz", **arrays)
        if self._folder.exists():
            shutil.rmtree(self._folder)
        os.replace(self._partial, self._folder)


def _intrinsics(camera: Pinhole) -> dict[str, Any]:
    sizes = {"w": camera.width, "h": camera.height}
    return {"fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy} | sizes


def _opengl_rows(pose: Float[np.ndarray, "4 4"]) -> list[list[float]]:
    return opengl_from_opencv(torch.from_numpy(pose)).tolist()


def _without_name(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "name"}
