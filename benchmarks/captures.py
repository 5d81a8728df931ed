"""Captures that the benchmarks make from others: stripped of poses, renumbered, or cut short."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch

from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.io.atomic import write_json
from s3d_splat.io.images import read_counts, write_image
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.types import CaptureView

CLUSTER, OVERLAP = 100, 10  # images
OUTLIERS = 0.1  # share of the points in images of two clusters whose depth is drawn anew


def write_unposed_kitchen(source: Path, folder: Path, *, seed: int) -> None:
    """The RGB-D capture at `source` in clusters without poses, each with depth in a unit of its own (0.5 to 2 m).

    Images of two clusters have a tenth of their depth replaced by depth drawn from 0.3 to 6 m. The published poses go to
    `published.json`, which `prepare` does not read.
    """
    numbers = np.random.default_rng(seed)
    views = read_capture(source, folder.with_name("reading")).clusters[0].views
    partial = folder.with_name(f"{folder.name}.partial")
    for view in views:
        (partial / "images").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(view.image_path, partial / "images" / view.name)
    write_json(partial / "published.json", {"frames": [_posed_row(view) for view in views]})
    starts = range(0, len(views) - OVERLAP, CLUSTER - OVERLAP)
    for number, start in enumerate(starts):
        unit = float(2.0 ** numbers.uniform(-1, 1))
        members = views[start : start + CLUSTER]
        shared = {view.name for other in starts if other != start for view in views[other : other + CLUSTER]}
        cluster = partial / "clusters" / str(number)
        for view in members:
            assert view.depth_path is not None
            depth = read_counts(view.depth_path, "depth", where=view.name)
            if view.name in shared:
                wrong = (numbers.random(depth.shape) < OUTLIERS) & (depth > 0)
                depth[wrong] = numbers.uniform(0.3, 6.0, int(wrong.sum())) / view.depth_scale
            write_image(cluster / "depth" / f"{Path(view.name).stem}.png", depth)
        rows = [{"file_path": f"images/{view.name}"} for view in members]
        write_json(
            cluster / "transforms.json",
            _intrinsics(members[0]) | {"depth_scale": unit * views[0].depth_scale, "frames": rows},
        )
    os.replace(partial, folder)


def write_renumbered_scene(source: Path, folder: Path, *, period: int, seed: int) -> None:
    """A scene folder whose masks get fresh ids every `period` images (0: never); the masks as they were become its truth."""
    numbers = np.random.default_rng(seed)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.copytree(source, partial)
    table = {row["id"]: row for row in json.loads((source / "instances.json").read_text())}
    given: list[dict[str, object]] = [] if period else list(table.values())
    ids: dict[int, int] = {}
    for index, path in enumerate(sorted((source / "instances").iterdir())):
        for kind in ("instances", "semantics"):
            (partial / "truth" / kind).mkdir(exist_ok=True)
            shutil.copyfile(source / kind / path.name, partial / "truth" / kind / path.name)
        if not period:
            continue
        if index % period == 0:
            order = numbers.permutation(sorted(table))
            ids = {int(k): len(given) + place + 1 for place, k in enumerate(order)}
            given += [table[k] | {"id": ids[k]} for k in order.tolist()]
        labels = read_counts(path, "instances", where=path.name)
        fresh = np.zeros(max(table) + 1, dtype=np.uint16)
        fresh[list(ids)] = list(ids.values())
        write_image(partial / "instances" / path.name, fresh[labels])
    write_json(partial / "instances.json", given)
    os.replace(partial, folder)


def write_beginning(source: Path, folder: Path, images: int) -> None:
    """The clusters that lie within the first `images` images of a capture, sharing its files."""
    partial = folder.with_name(f"{folder.name}.partial")
    names = [path.name for path in sorted((source / "images").iterdir())][:images]
    for number in sorted((source / "clusters").iterdir(), key=lambda path: int(path.name)):
        rows = json.loads((number / "transforms.json").read_text())["frames"]
        if all(Path(row["file_path"]).name in names for row in rows):
            shutil.copytree(number, partial / "clusters" / number.name, copy_function=os.link)
            kept = [Path(row["file_path"]).name for row in rows]
            (partial / "images").mkdir(parents=True, exist_ok=True)
            for name in kept:
                if not (partial / "images" / name).exists():
                    os.link(source / "images" / name, partial / "images" / name)
    os.replace(partial, folder)


def _posed_row(view: CaptureView) -> dict[str, object]:
    assert view.T_cluster_camera is not None
    pose = opengl_from_opencv(view.T_cluster_camera.to(torch.float64))
    return {"file_path": f"images/{view.name}", "transform_matrix": pose.tolist()}


def _intrinsics(view: CaptureView) -> dict[str, float | int]:
    assert view.lens is not None
    focal = {"fl_x": view.lens.fx, "fl_y": view.lens.fy, "cx": view.lens.cx, "cy": view.lens.cy}
    return focal | {"w": view.width, "h": view.height}
