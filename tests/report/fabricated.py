"""A run folder as training and evaluation would leave it, of the tiny scene: chair 2 is found as 7, chair 3 is missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_colour_png, write_depth_png, write_id_png, write_instances, write_metrics
from s3d_splat.io.run_folder import RunFolder, create_run
from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import InstanceSet, Scene

PREDICTED = {0: 0, 1: 4, 2: 7, 3: 0}  # what is rendered where the truth has 0, 1, 2, 3
SURPLUS = 9

METRICS: dict[str, Any] = {
    "psnr": 31.256, "ssim": 0.9, "pq": 0.5, "pq_strict": 0.25, "pq_th": 0.4, "pq_st": 1.0, "semantic_miou": 0.7,
    "ap": 0.5, "ap50": 0.625, "ap25": 0.75, "precision50": 0.667, "miou": 0.8, "m50": 0.9, "m25": 1.0,
    "auc5": 0.91, "auc10": 0.95, "auc30": 0.98, "ate": 0.017,
    "objects_predicted": 3, "objects_true": 3, "train_seconds": 12.0, "peak_memory_mb": 512.0, "fps": 3.5,
    "per_class": [
        {"id": 1, "name": "wall", "is_thing": False, "pq": 1.0, "sq": 1.0, "rq": 1.0}
        | {"matches": 1, "false_positives": 0, "misses": 0},
        {"id": 5, "name": "chair", "is_thing": True, "pq": 0.4, "sq": 0.8, "rq": 0.5}
        | {"matches": 1, "false_positives": 1, "misses": 1},
    ],
    "per_object": [
        {"truth_id": 1, "class_id": 1, "class_name": "wall", "is_thing": False, "points": 900, "iou": 0.95}
        | {"overlap": 0.95, "best_id": 4, "matched_id": 4},
        {"truth_id": 2, "class_id": 5, "class_name": "chair", "is_thing": True, "points": 120, "iou": 0.8}
        | {"overlap": 0.8, "best_id": 7, "matched_id": 7},
        {"truth_id": 3, "class_id": 5, "class_name": "chair", "is_thing": True, "points": 80, "iou": 0.3}
        | {"overlap": 0.3, "best_id": SURPLUS, "matched_id": 0},
    ],
    "per_image": [{"name": "0003", "psnr": 31.256, "ssim": 0.9, "pq": 0.5}],
}  # fmt: skip


def write_fabricated_run(
    folder: Path, scene: Scene, metrics: dict[str, Any] | None = None, stage: str = "joint"
) -> RunFolder:
    """Write run.json, metrics.json, instances.npz, the log, the renders of the test frames and their truth."""
    run = create_run(
        folder, scene.root, {"training": {"steps": 40}}, ["s3d-splat", "train", "a scene"], rasterizer="cpu", device="cpu"
    )
    write_metrics(run.metrics, METRICS if metrics is None else metrics)
    write_instances(run.instances, _instances())
    stages = ["appearance"] * 3 + [stage] * 2
    lines = [{"step": 10 * i, "stage": stage, "loss": 1.0 / (i + 1), "psnr": 20.0 + i} for i, stage in enumerate(stages)]
    run.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for frame in frames_of(scene, "test"):
        write_renders(run, scene, frame_name(frame.file_path))
    return run


def write_renders(run: RunFolder, scene: Scene, name: str) -> None:
    """The pictures of the scene's one test frame under a name: colours 10 brighter, depths exact, labels by `PREDICTED`."""
    pixels = load_observation(frames_of(scene, "test")[0])
    assert pixels.depth is not None
    assert pixels.instances is not None
    assert pixels.semantics is not None
    predicted = torch.tensor([PREDICTED[i] for i in range(4)])[pixels.instances.long()]
    write_colour_png(run.renders("test", "colour") / f"{name}.png", pixels.image + 10)
    write_depth_png(run.renders("test", "depth") / f"{name}.png", pixels.depth)
    write_id_png(run.renders("test", "instances") / f"{name}.png", predicted)
    write_id_png(run.renders("test", "semantics") / f"{name}.png", pixels.semantics * (predicted > 0))
    write_colour_png(run.renders("test", "panoptic") / f"{name}.png", pixels.image)
    write_id_png(run.root / "eval" / "truth" / "instances" / f"{name}.png", pixels.instances)
    write_id_png(run.root / "eval" / "truth" / "semantics" / f"{name}.png", pixels.semantics)


def _instances() -> InstanceSet:
    ids = torch.tensor([4, 7, SURPLUS], dtype=torch.int32)
    return InstanceSet(
        anchor_instance=ids,
        child_instance=ids[:, None],
        instance_id=ids,
        class_id=torch.tensor([1, 5, 5], dtype=torch.int32),
        is_thing=torch.tensor([0, 1, 1], dtype=torch.int32),
        score=torch.tensor([1.0, 0.9, 0.4]),
        size=torch.tensor([50, 20, 10], dtype=torch.int32),
        aabb=torch.tensor([[[0.0, 0, 0], [4, 2, 0]], [[0, 0, 0], [1, 1, 1]], [[0, 0, 0], [0.5, 0.25, 1]]]),
    )
