"""What one process of the grid does: make a scene, or train on it and measure what follows for every variant."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import s3d_splat
from benchmarks.captures import write_renumbered_scene
from benchmarks.instances.alternatives.base import Material, found_objects, gather
from benchmarks.instances.alternatives.registry import alternative
from benchmarks.instances.truth import object_figures
from benchmarks.instances.variants import Cell, Settings
from s3d_splat.config import config_to_dict
from s3d_splat.errors import S3DError
from s3d_splat.evaluation.run import evaluate_run
from s3d_splat.io.atomic import write_json
from s3d_splat.io.results import read_instances, write_instances
from s3d_splat.io.run_folder import open_run
from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.pipeline.objects import find_instances
from s3d_splat.pipeline.runs import TrainedRun, decode, open_trained
from s3d_splat.pipeline.train import resume_training, train
from s3d_splat.pipeline.views import write_views
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions, parse_fault

MEASURED = (
    *("pq", "pq_strict", "ap", "ap50", "ap25", "precision50", "miou", "semantic_miou", "psnr"),
    *("objects_predicted", "objects_true", "train_seconds", "peak_memory_mb"),
)


@dataclass(frozen=True)
class Folders:
    """Where a call keeps what it has made, shared by all questions."""

    out: Path
    data: Path | None = None  # real captures

    def scene(self, cell: Cell) -> Path:
        """Made here, but for the kitchen without faults, which is read where it lies."""
        if cell.variant.kitchen and not cell.variant.faults:
            return self.kitchen
        return self.out / "scenes" / cell.scene

    def training(self, cell: Cell) -> Path:
        """A run folder."""
        return self.out / "trainings" / cell.training

    def result(self, cell: Cell) -> Path:
        """A run folder that shares its checkpoint with the training's."""
        return self.out / "results" / cell.result

    def figures(self, cell: Cell) -> Path:
        """Written last: what has it is complete."""
        return self.result(cell) / "figures.json"

    @property
    def kitchen(self) -> Path:
        """The real kitchen; raises S3DError where no data is named."""
        if self.data is None:
            raise S3DError("the kitchen is a real capture", why="it is no part of the repository", fix="name it with --data")
        return self.data / "kitchen_scene"


def is_measured(cell: Cell, folders: Folders) -> bool:
    """Whether figures are there that the code of today has measured."""
    path = folders.figures(cell)
    return path.exists() and json.loads(path.read_text()).get("code") == code_digest()


def make_scene(cell: Cell, settings: Settings, folders: Folders) -> None:
    """Write the scene of a cell, whole or not at all.

    Raises:
        S3DError: the kitchen takes no other fault than ids that are new in every frame.
    """
    folder = folders.scene(cell)
    if not cell.variant.kitchen:
        faults = tuple(parse_fault(fault) for fault in cell.variant.faults)
        size = (settings.frames, settings.width, settings.height)
        write_scene(folder, SynthOptions("scene", *size, seed=cell.seed, faults=faults))
        return
    if cell.variant.faults != ("renumber=frame",):
        raise S3DError("the kitchen has no such fault", why="only renumber=frame is made", fix="choose the built-in room")
    shutil.rmtree(folder.with_name(f"{folder.name}.partial"), ignore_errors=True)
    write_renumbered_scene(folders.kitchen, folder, period=1, seed=0)


def train_and_measure(cells: Sequence[Cell], folders: Folders) -> None:
    """Train what the cells share, unless it is there, then find and measure the objects of each."""
    _quiet()
    first = cells[0]
    scene, run = folders.scene(first), folders.training(first)
    if not (run / "instances.npz").exists():
        if (run / "run.json").exists():
            resume_training(scene, run)
        else:
            train(scene, run, first.config, f"python -m benchmarks.instances {first.training}")
    materials: dict[str, Material] = {}
    for cell in cells:
        measure(cell, folders, materials)


def measure(cell: Cell, folders: Folders, materials: dict[str, Material]) -> None:
    """Find the objects of one cell and write its figures.

    `materials` keeps what the alternatives of one training share, by the options it depends on.
    """
    folder = folders.result(cell)
    link_run(folders.training(cell), folder, cell)
    run = open_trained(folder)
    seconds = _find(run, cell, materials)
    instances = read_instances(run.folder.instances)
    cameras = {frame_name(frame.file_path): frame.camera for frame in frames_of(run.scene, "test")}
    fps = write_views(run, instances, cameras, "test")
    found = evaluate_run(
        run.folder,
        run.scene,
        instances,
        decode(run.field, run.scene.frames[0].camera),
        run.field.positions,
        train_seconds=run.seconds,
        peak_memory_mb=run.peak_memory_mb,
        fps=fps,
    )
    figures: dict[str, Any] = {name: found[name] for name in MEASURED}
    figures |= object_figures(run.folder.eval_points, run.scene)
    figures |= {"anchors": run.field.anchor_count, "aggregation_seconds": seconds, "code": code_digest()}
    write_json(folders.figures(cell), figures)


@cache
def code_digest() -> str:
    """Of the sources that figures come from: those of the package and of this benchmark, as they are on the disk."""
    roots = (Path(s3d_splat.__file__).parent, Path(__file__).parent)
    paths = sorted(path for root in roots for path in root.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:10]


def link_run(training: Path, folder: Path, cell: Cell) -> None:
    """A run folder with a training's checkpoints, by a link, and the configuration of a cell."""
    folder.mkdir(parents=True, exist_ok=True)
    info = open_run(training).info
    write_json(folder / "run.json", asdict(info) | {"configuration": config_to_dict(cell.config)})
    link = folder / "checkpoints"
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(training / "checkpoints", folder), target_is_directory=True)


def _find(run: TrainedRun, cell: Cell, materials: dict[str, Material]) -> float:
    """Write `instances.npz`; returns the seconds from field and masks to objects."""
    options = cell.config.instances
    name = cell.variant.alternative
    if name is None:
        start = time.perf_counter()
        find_instances(run.folder, run.scene, run.field, run.rasterizer, options)
        return time.perf_counter() - start
    key = repr(options)
    if key not in materials:
        materials[key] = gather(run, options)
    material = materials[key]
    start = time.perf_counter()
    labels = alternative(name, cell.variant.choices).labels(material)
    write_instances(run.folder.instances, found_objects(material, labels))
    return material.seconds + time.perf_counter() - start


def _quiet() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
