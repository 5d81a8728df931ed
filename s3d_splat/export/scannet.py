"""Instances of points in the text files of the ScanNet benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.evaluation.truth import true_points
from s3d_splat.evaluation.world import true_cameras, truth_placement
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.nyu40 import nyu40_id
from s3d_splat.export.objects import NamedObject, named_objects, owners, safe_word
from s3d_splat.export.options import ExportOptions
from s3d_splat.io.atomic import replacing, write_text
from s3d_splat.io.ply import finite_columns, read_vertices
from s3d_splat.panoptic.point_labels import ANCHOR_REACH, label_points

_MASKS = "predicted_masks"


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `scannet`: `SCENE.txt`, a line `predicted_masks/SCENE_ID.txt class score` an instance.

    The points are those of `--points`, else the labelled ones of the scene's truth, else its point cloud. Classes are mapped
    to NYU40 by their names.
    """
    points, scale, source = _points(trained, options.points)
    gaussians = trained.decode(trained.scene.frames[0].camera)
    anchors = trained.instances.anchor_instance.to(points.device)
    labels = (
        label_points(points, gaussians, owners(trained), trained.anchor_positions, anchors, reach=ANCHOR_REACH * scale)
        .cpu()
        .numpy()
    )
    objects = named_objects(trained, gaussians.means, torch.ones_like(gaussians.opacities, dtype=torch.bool))
    scene = safe_word(trained.scene.root.absolute().name) or "scene"
    lines, strange = [], set()
    for done, entry in enumerate(objects):
        label = nyu40_id(entry.class_name)
        inside = labels == entry.id
        if label is None:
            strange.add(entry.class_name or "unknown")
        elif inside.any():
            file = f"{_MASKS}/{scene}_{entry.id:03d}.txt"
            _write_mask(out / file, inside)
            lines.append(f"{file} {label} {_score(entry)}\n")
        advance(done + 1, len(objects))
    (out / _MASKS).mkdir(parents=True, exist_ok=True)
    write_text(out / f"{scene}.txt", "".join(lines))
    return {
        "file": f"{scene}.txt",
        "objects": len(lines),
        "points": len(points),
        "points_of": source,
        "notes": _notes(strange),
    }


def _points(trained: TrainedScene, given: Path | None) -> tuple[Float[Tensor, "n 3"], float, str]:
    """Points in the scene's world, its units for one metre of the truth, and where they are from."""
    scene, device = trained.scene, trained.anchor_positions.device
    if given is not None:
        return torch.from_numpy(_positions(given)).to(device), 1.0, str(given)
    found, placement = true_points(scene), truth_placement(true_cameras(scene.root))
    if found is not None and placement.T_scene_truth is not None:
        return torch.from_numpy(placement.place(found[0].numpy())).to(device), placement.scale, "truth/points.npz"
    return scene.proxy.points.to(device), 1.0, "the scene's point cloud"


def _positions(path: Path) -> Float[np.ndarray, "n 3"]:
    fix = "name the PLY that the predictions are for, such as ScanNet's scene0000_00_vh_clean_2.ply"
    if not path.is_file():
        raise S3DError(f"{path} does not exist", why="--points are the points to predict for", fix=fix)
    columns = finite_columns(
        read_vertices(path, fix=fix), ("x", "y", "z"), path, why="a point without a place has no object"
    )
    if columns is None:
        raise S3DError(f"{path} lacks x y z", why="--points are the points to predict for", fix=fix)
    return columns


def _write_mask(path: Path, inside: Int[np.ndarray, " n"] | np.ndarray) -> None:
    text = np.full((len(inside), 2), ord("\n"), np.uint8)
    text[:, 0] = np.where(inside, ord("1"), ord("0"))
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(text.tobytes())


def _score(entry: NamedObject) -> str:
    return repr(entry.score)  # all digits, so that equal scores stay equal and others do not become so


def _notes(strange: set[str]) -> list[str]:
    if not strange:
        return []
    return [f"left out, because NYU40 has no such class: {', '.join(sorted(strange))}"]
