"""nerfstudio's training loop around our session: one iteration is one whole step, the same that `s3d-splat train` runs."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
from typing import Any

import torch
from nerfstudio.engine.trainer import Trainer
from nerfstudio.utils import writer

from nerfstudio_plugin.config import SplatTrainerConfig
from nerfstudio_plugin.errors import user_errors
from nerfstudio_plugin.pipeline import SplatPipeline
from nerfstudio_plugin.resume import Source, named_source, open_folder, restore
from s3d_splat.config import automatic_preset
from s3d_splat.io.run_folder import RunFolder
from s3d_splat.pipeline.objects import find_instances
from s3d_splat.pipeline.train import save_training
from s3d_splat.training.log import log_step
from s3d_splat.training.session import TrainingSession

log = logging.getLogger("s3d_splat")

Numbers = dict[str, torch.Tensor]


class SplatTrainer(Trainer):
    """Writes a run folder as `s3d-splat train` does, beside nerfstudio's own files, and ends with the instances found."""

    config: SplatTrainerConfig
    pipeline: SplatPipeline
    run: RunFolder

    def __init__(self, config: SplatTrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        log.setLevel(logging.INFO)
        with user_errors():
            super().__init__(config.resolved(world_size), local_rank, world_size)
        self._seconds_before = 0.0
        self._start_time = self._last_save = time.monotonic()
        self._saved_step = -1

    @property
    def session(self) -> TrainingSession:
        """The training in progress."""
        session = self.pipeline.session
        assert session is not None, "setup() opens it"
        return session

    def setup(self, test_mode: Any = "val") -> None:
        """Read the scene, open session and run folder, and go on where an earlier training stopped, if there is one."""
        where = f"on {torch.cuda.get_device_name()}" if self.device.startswith("cuda") else "on the CPU"
        found = "a CUDA device" if torch.cuda.is_available() else "no CUDA device"
        preset, steps = automatic_preset(), self.config.max_num_iterations
        log.info("%s: training %s, %d steps; preset %s unless flags say otherwise", found, where, steps, preset)
        with user_errors():
            super().setup(test_mode)

    def train(self) -> None:
        """Run the steps that are left, find the instances, write everything."""
        left = self.session.total_steps - self._start_step  # nerfstudio counts from where it resumes
        self.config = dataclasses.replace(self.config, max_num_iterations=left)
        self.step = max(self._start_step - 1, 0)
        writer.GLOBAL_BUFFER["step"] = self.step  # asked for even where no step is left
        self._start_time = self._last_save = time.monotonic()
        with user_errors():
            super().train()

    def train_iteration(self, step: int) -> tuple[torch.Tensor, Numbers, Numbers]:
        """One step of the session, whose optimiser is its own; nerfstudio gets the numbers to show."""
        report = self.session.step()
        options = self.session.options
        if report.step % options.log_every == 0 or report.step + 1 == self.session.total_steps:
            log_step(self.run.log, report, self._seconds())
        if time.monotonic() - self._last_save >= options.checkpoint_seconds:
            self.save_checkpoint(step)
        losses = {name: torch.tensor(value) for name, value in report.losses.items() if name != "loss"}
        metrics = {"psnr": torch.tensor(report.psnr), "anchors": torch.tensor(float(self.session.field.anchor_count))}
        return torch.tensor(report.losses["loss"]), losses, metrics

    def save_checkpoint(self, step: int) -> None:
        """Write the run's checkpoint, from which training goes on, and nerfstudio's, from which its commands render."""
        if self._saved_step == self.session.step_index:
            return
        save_training(self.run, self.session, self._seconds())
        self._save_for_nerfstudio(step)
        self._saved_step = self.session.step_index
        self._last_save = time.monotonic()

    def _save_for_nerfstudio(self, step: int) -> None:
        state = {"step": step, "pipeline": self.pipeline.state_dict(), "optimizers": {}, "schedulers": {}, "scalers": {}}
        path = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.base_dir / "unfinished.ckpt"  # not in the folder: nerfstudio takes all files there for checkpoints
        torch.save(state, unfinished)
        os.replace(unfinished, path)
        if self.config.save_only_latest_checkpoint:
            for other in path.parent.glob("*.ckpt"):
                if other != path:
                    other.unlink()

    def _load_checkpoint(self) -> None:
        """Open the run folder, and restore the session from the training that flags name or that the folder itself holds."""
        options = self.config.pipeline.model.run_config()  # type: ignore[attr-defined]
        self.run, held = open_folder(self.base_dir, self.pipeline.datamanager.scene, options, self.session.rasterizer)
        source = Source(self.run, None) if held else named_source(self.config)
        if source is not None:
            self._seconds_before = restore(self.session, source, self.run)
            self._start_step = self.session.step_index

    def _after_train(self) -> None:
        with self.train_lock:  # the viewer must not render meanwhile
            self.save_checkpoint(self.step)
            if self.session.step_index >= self.session.total_steps:
                self._find_instances()
        super()._after_train()

    def _find_instances(self) -> None:
        options = self.config.pipeline.model.run_config().instances  # type: ignore[attr-defined]
        model, scene = self.pipeline.splats, self.pipeline.datamanager.scene
        model.instances = find_instances(self.run, scene, self.session.field, model.rasterizer, options)
        log.info("wrote %s; next: s3d-splat evaluate run %s", self.run.root, self.run.root)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._start_time
