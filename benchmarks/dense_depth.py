"""Depth from photos alone against depth that is known: `python benchmarks/dense_depth.py --out DIR [--data DATA]`.

Captures: the built-in room under its true poses (`room`) and under those of structure from motion (`room-colmap`), both of
150 images; under DATA, every fifth image of a part of 7-Scenes RedKitchen posed by structure from motion (`redkitchen`,
against the depth camera), and fifty photos of a fox under their published poses (`fox`, which has no depth: the points that
the images have in common stand in for it). Depth of a capture in a unit of no meaning is brought to the known depth by one
factor for all images. Times are those of the search for depth alone. Rows are printed and written to
benchmarks/dense_depth.json; DIR/CASE/pictures shows some images with their depth, the known depth and the confidence.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import tyro

from s3d_splat.io.atomic import write_json
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_colours, load_confidence, load_depth, load_observation
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.priors.geometry.dense.densify import densify
from s3d_splat.priors.geometry.dense.triangulation import triangulated
from s3d_splat.priors.geometry.options import ColmapOptions, DenseOptions, GeometryChoice, GeometryOptions
from s3d_splat.priors.geometry.registry import make_geometry_prior
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Frame, PosedCluster

RESULTS = Path(__file__).with_name("dense_depth.json")
_SHOWN = 4  # images of a case
_PART = slice(0, 100, 5)  # of the kitchen's images, which are every second one of its video
Case = Literal["room", "room-colmap", "redkitchen", "fox"]


@dataclass(frozen=True)
class Photos:
    """Views without depth, the same views with it, and where their poses come from."""

    bare: CaptureCluster
    known: tuple[CaptureView, ...]
    prior: GeometryChoice


def photos(case: Case, out: Path, data: Path | None) -> Photos:
    """The images of a case."""
    if case.startswith("room"):
        folder, part = out / "room-scene", slice(None)
        if not folder.exists():
            words = ["synth", str(folder), "--frames", "150"]
            subprocess.run([sys.executable, "-c", "from s3d_splat.cli import main; main()", *words], check=True)
    else:
        folder, part = _needed(data) / case, _PART if case == "redkitchen" else slice(None)
    (out / case).mkdir(parents=True, exist_ok=True)
    capture = read_capture(folder, out / case / "read")
    views = tuple(replace(view, instance_path=None) for view in capture.clusters[0].views[part])
    bare = tuple(replace(view, depth_path=None, confidence_path=None) for view in views)
    return Photos(CaptureCluster(bare), views, "colmap" if case in ("room-colmap", "redkitchen") else "given")


def posed(made: Photos, folder: Path) -> PosedCluster:
    """With cameras and the points that the images have in common."""
    capture = Capture(folder, "benchmark", tuple(view.name for view in made.bare.views), (made.bare,))
    folder.mkdir(parents=True, exist_ok=True)
    cluster = make_geometry_prior(GeometryOptions(made.prior), capture).pose(made.bare, folder, load_observation)
    return cluster if cluster.sparse is not None else triangulated(cluster, folder, load_observation, ColmapOptions())


def against_known(cluster: PosedCluster, known: Sequence[CaptureView]) -> dict[str, float]:
    """How much of the known depth is covered, and how far off the depth found is there, as shares of the depth."""
    by_name = {f"images/{view.name}": view for view in known}
    ratios, covered = [], []
    for frame in cluster.frames:
        true, found = _known_depth(frame, by_name[frame.file_path]), _found_depth(frame)
        if true is None:
            continue
        both = (true > 0) & (found > 0)
        covered.append(both.sum() / max(1, (true > 0).sum()))
        ratios.append(found[both] / true[both])
    if not ratios:
        return {}
    pooled = np.concatenate(ratios)
    error = np.abs(pooled / np.median(pooled) - 1)
    shares = {f"within_{share}": float((error < share / 100).mean()) for share in (2, 5, 10)}
    return {"known_covered": float(np.mean(covered)), "median_error": float(np.median(error)), **shares}


def against_points(cluster: PosedCluster) -> dict[str, float]:
    """How far the depth found is off at the points of structure from motion, as a share of the depth."""
    errors = []
    for frame, sparse in zip(cluster.frames, cluster.sparse or (), strict=True):
        found = _found_depth(frame)
        column, row = torch.floor(sparse.pixels).long().T.numpy()
        inside = (column >= 0) & (column < found.shape[1]) & (row >= 0) & (row < found.shape[0])
        there = found[row[inside], column[inside]]
        errors.append(np.abs(there / sparse.depth.numpy()[inside] - 1)[there > 0])
    return {"median_at_points": float(np.median(np.concatenate(errors)))}


def measured(case: Case, out: Path, data: Path | None, options: DenseOptions) -> dict[str, Any]:
    """One row of the table."""
    made = photos(case, out, data)
    cluster = posed(made, out / case / "poses")
    wall, processor = time.perf_counter(), time.process_time()
    dense = densify(cluster, out / case / "dense", load_observation, write_image, options)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    _show(dense, made.known, out / case / "pictures")
    found = [float((_found_depth(frame) > 0).mean()) for frame in dense.frames]
    return {
        "images": len(made.known),
        "posed": len(dense.frames),
        "covered": float(np.mean(found)),
        **against_known(dense, made.known),
        **against_points(dense),
        "cpu_seconds": processor,
        "wall_seconds": wall,
    }


def main(
    cases: tuple[Case, ...] = ("room", "room-colmap", "redkitchen", "fox"),
    /,
    *,
    out: Path,
    data: Path | None = None,
    options: DenseOptions = DenseOptions(),  # noqa: B008 frozen
) -> None:
    """Find depth for some captures and compare it with what is known.

    Args:
        cases: What to measure.
        out: Folder for captures, depth and pictures.
        data: Folder with the real captures redkitchen and fox.
        options: Of the search for depth.
    """
    rows = {case: measured(case, out, data, options) for case in cases}
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    write_json(RESULTS, known | rows)
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    print("| " + " | ".join(["", *columns]) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, row in rows.items():
        print("| " + " | ".join([name, *(_text(row.get(column)) for column in columns)]) + " |")


def _known_depth(frame: Frame, view: CaptureView) -> np.ndarray | None:
    depth = load_depth(replace(frame, depth_path=view.depth_path, depth_scale=view.depth_scale))
    return None if depth is None else depth.numpy()


def _found_depth(frame: Frame) -> np.ndarray:
    depth = load_depth(frame)
    return np.zeros((frame.camera.height, frame.camera.width), np.float32) if depth is None else depth.numpy()


def _show(cluster: PosedCluster, known: Sequence[CaptureView], folder: Path) -> None:
    """Image, depth found, known depth and confidence side by side; depth from blue (far) to red (near), black: none."""
    by_name = {f"images/{view.name}": view for view in known}
    with_depth = [frame for frame in cluster.frames if frame.depth_path is not None]
    for frame in with_depth[:: max(1, len(with_depth) // _SHOWN)]:
        found, true, trust = _found_depth(frame), _known_depth(frame, by_name[frame.file_path]), load_confidence(frame)
        panels = [load_colours(frame).numpy(), _coloured(found)]
        if true is not None:
            both = (true > 0) & (found > 0)
            panels.append(_coloured(true * float(np.median(found[both] / true[both])), like=found))
        if trust is not None:
            panels.append(np.repeat((255 * trust.numpy()).astype(np.uint8)[..., None], 3, axis=-1))
        write_image(folder / f"{Path(frame.file_path).stem}.png", np.concatenate(panels, axis=1))


def _coloured(depth: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """In the range of another depth image, or its own."""
    own = depth if like is None else like
    nearest, farthest = np.quantile(own[own > 0], [0.01, 0.99])
    share = (1 / np.maximum(depth, 1e-9) - 1 / farthest) / (1 / nearest - 1 / farthest)
    colours = cv2.applyColorMap((255 * share.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where((depth > 0)[..., None], colours, np.uint8(0))


def _needed(data: Path | None) -> Path:
    if data is None:
        sys.exit("this case is a real capture: name the folder with --data")
    return data


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    tyro.cli(main)
