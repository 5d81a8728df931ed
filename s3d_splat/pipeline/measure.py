"""The figures of a trained run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from s3d_splat.editing.store import EDITS
from s3d_splat.evaluation.run import evaluate_run
from s3d_splat.io.results import write_metrics
from s3d_splat.pipeline.runs import decode, instances_of, open_trained
from s3d_splat.pipeline.views import cameras_of, write_views
from s3d_splat.report.html import write_report

log = logging.getLogger("s3d_splat")


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Render the test views, measure everything that the truth allows, write metrics.json and report.html."""
    run = open_trained(run_folder)
    if (run_folder / EDITS).exists():
        log.warning("%s was edited: its figures compare it with the scene before the edits", run_folder)
    instances = instances_of(run.folder.root, run.field.anchor_count, run.field.options.children)
    fps = write_views(run, instances, cameras_of(run.scene, "test", 0), "test")
    gaussians = decode(run.field, run.scene.frames[0].camera)
    metrics = evaluate_run(
        run.folder,
        run.scene,
        instances,
        gaussians,
        run.field.positions,
        train_seconds=run.seconds,
        peak_memory_mb=run.peak_memory_mb,
        fps=fps,
    )
    write_metrics(run.folder.metrics, metrics)
    write_report(run.folder.root, run.scene)
    return metrics
