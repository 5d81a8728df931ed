"""The built-in room from nothing to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3d_splat.config import Config
from s3d_splat.pipeline.measure import evaluate
from s3d_splat.pipeline.train import resume_training, train


def demo(out: Path, config: Config, command: str) -> dict[str, Any]:
    """The built-in room into `out/scene`, a run into `out/run`; returns the metrics. What is complete is not made again."""
    from s3d_splat.console import progress
    from s3d_splat.synthetic.generate import write_scene
    from s3d_splat.synthetic.options import SynthOptions

    scene, run = out / "scene", out / "run"
    if not (scene / "transforms.json").exists():
        with progress("rendering the room") as advance:
            write_scene(scene, SynthOptions(), advance)
    if not (run / "run.json").exists():
        train(scene, run, config, command)
    elif not (run / "instances.npz").exists():
        resume_training(scene, run)
    return evaluate(run)
