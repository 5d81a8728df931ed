"""One training in progress: the step that every door runs, and the state that a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.native.library import serial_torch
from s3d_splat.raster.base import Rasterizer
from s3d_splat.scaffold.field import TRAINED_COLUMNS, AnchorField
from s3d_splat.scaffold.growth import GrowthStatistics, new_anchors, resize, rows_to_keep
from s3d_splat.scaffold.init import anchors_from_proxy
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.scaffold.visibility import anchors_in_view
from s3d_splat.training.losses import depth_loss, image_loss, mask_means, pull_loss, push_loss, thinness_loss
from s3d_splat.training.options import Stage, TrainingOptions
from s3d_splat.training.stages import check_options, learning_rates, stage_at, stage_ends
from s3d_splat.training.views import TrainingView, load_training_views
from s3d_splat.types import Camera, Gaussians, RenderOutput, Scene

SERIAL_BELOW = 50_000
"""Anchors from which torch's part of a step, Adam above all, is worth more than one thread."""


@dataclass(frozen=True)
class StepReport:
    """What one step did; `losses` are unweighted terms and their weighted sum `loss`."""

    step: int
    stage: str
    losses: dict[str, float]
    psnr: float  # dB, of the training image of this step


class TrainingSession:
    """Field, optimiser and data of one training. A step depends on nothing but the state and its own number."""

    def __init__(
        self,
        views: tuple[TrainingView, ...],
        field: AnchorField,
        voxel: float,
        rasterizer: Rasterizer,
        options: TrainingOptions,
    ) -> None:
        """`voxel` is the anchors' voxel size in metres, the unit of the grids on which anchors grow."""
        stage_ends(options)
        self.views = views
        self.field = field
        self.voxel = voxel
        self.rasterizer = rasterizer
        self.options = options
        self.step_index = 0
        self.statistics = self._fresh_statistics()
        self.optimizer = self._make_optimizer()

    @property
    def total_steps(self) -> int:
        return self.options.steps

    def step(self) -> StepReport:
        """Run step `step_index` and count it: decode, render, losses, gradients, Adam, growth."""
        with serial_torch(self.field.anchor_count < SERIAL_BELOW):
            return self._step()

    def _step(self) -> StepReport:
        stage = stage_at(self.options, self.step_index)
        frozen = self.options.freeze_appearance and stage.features
        view, image = self._view_of_step()
        self._set_learning_rates(stage)
        visible = anchors_in_view(self.field, view.camera)
        gaussians = self.field.decode(view.camera, visible, image, with_features=stage.features)
        gaussians = _with_fixed_looks(gaussians) if frozen else gaussians
        output = self.rasterizer.render(
            gaussians,
            view.camera,
            background=self._background(),
            detach_feature_geometry=not stage.feature_geometry,
        )
        grows = stage.growth and self.field.anchor_count < self.field.options.growth.max_anchors
        if grows:
            output.screen.means2d.retain_grad()
        target = view.image.to(output.colour) / 255.0
        mask = None if view.mask is None else view.mask.to(target.device)
        losses = self._losses(stage, view, gaussians, output, target, mask)
        if losses["loss"].requires_grad:  # a view without masks teaches nothing where the looks are frozen
            losses["loss"].backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if grows:
            self._collect(visible, output, gaussians, view.camera)
        self._grow(stage)
        error = (output.colour.detach() - target).square()
        mse = float(error.mean() if mask is None else (error * mask[..., None]).sum() / (3 * mask.sum()).clamp(min=1))
        report = StepReport(
            step=self.step_index,
            stage=stage.name,
            losses={name: float(value.detach()) for name, value in losses.items()},
            psnr=float("inf") if mse == 0 else -10.0 * float(torch.tensor(mse).log10()),
        )
        self.step_index += 1
        return report

    def state(self) -> dict[str, object]:
        """Everything that the next step depends on, as tensors and plain values."""
        return {
            "step": self.step_index,
            "voxel": self.voxel,
            "field": self.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "statistics": self.statistics.state(),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Continue where `state` was taken: the steps that follow equal those of a training that was never interrupted."""
        self.step_index = int(state["step"])  # type: ignore[call-overload]
        self.voxel = float(state["voxel"])  # type: ignore[arg-type]
        device = self.rasterizer.device
        self.field.load_resized({name: value.to(device) for name, value in state["field"].items()})  # type: ignore[attr-defined]
        self.optimizer = self._make_optimizer()
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        sums = {name: value.to(device) for name, value in state["statistics"].items()}  # type: ignore[attr-defined]
        self.statistics = GrowthStatistics(**sums)

    def _view_of_step(self) -> tuple[TrainingView, int]:
        """Every view once per epoch, in an order that depends on seed and epoch alone."""
        epoch, place = divmod(self.step_index, len(self.views))
        order = torch.randperm(len(self.views), generator=_generator(self.options.seed, 1, epoch))
        image = int(order[place])
        return self.views[image], image

    def _background(self) -> Float[Tensor, "3"] | None:
        if not self.options.random_background:
            return None
        return torch.rand(3, generator=_generator(self.options.seed, 2, self.step_index)).to(self.rasterizer.device)

    def _losses(
        self,
        stage: Stage,
        view: TrainingView,
        gaussians: Gaussians,
        output: RenderOutput,
        target: Float[Tensor, "h w 3"],
        mask: Bool[Tensor, "h w"] | None,
    ) -> dict[str, Tensor]:
        weights = self.options.weights
        terms = {"image": image_loss(output.colour, target, weights.dssim, mask)}
        total = terms["image"]
        if weights.depth > 0 and view.depth is not None:
            terms["depth"] = depth_loss(output.depth, output.alpha, view.depth.to(output.depth), self.options.min_alpha)
            total = total + weights.depth * terms["depth"]
        if weights.thin > 0:
            terms["thin"] = thinness_loss(gaussians.log_scales, self.options.min_thickness * self.voxel)
            total = total + weights.thin * terms["thin"]
        if stage.features and view.masks is not None and output.features is not None:
            usable = output.alpha.detach() > self.options.min_alpha
            means = mask_means(output.features, view.masks.to(usable.device), usable, self.options.min_mask_pixels)
            terms["pull"] = pull_loss(means)
            terms["push"] = push_loss(means, self.options.push_distance if stage.truncate_push else None)
            total = total + weights.pull * terms["pull"] + weights.push * terms["push"]
        return {**terms, "loss": total}

    def _collect(self, visible: Int[Tensor, " v"], output: RenderOutput, gaussians: Gaussians, camera: Camera) -> None:
        gradient = output.screen.means2d.grad
        if gradient is not None:
            longer = max(camera.width, camera.height)
            self.statistics.update(visible, gradient, output.screen.radii, gaussians.opacities.detach(), longer)

    def _grow(self, stage: Stage) -> None:
        growth = self.field.options.growth
        if not stage.growth or (self.step_index + 1) % growth.interval:
            return
        generator = _generator(self.options.seed, 3, self.step_index)
        added = new_anchors(self.field, self.statistics, self.voxel, growth, generator)
        resize(self.field, self.optimizer, rows_to_keep(self.statistics, growth), added)
        self.statistics = self._fresh_statistics()

    def _fresh_statistics(self) -> GrowthStatistics:
        return GrowthStatistics.zeros(self.field.anchor_count, self.field.options.children, self.field.positions.device)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        groups = [{"name": name, "params": [getattr(self.field, name)]} for name in TRAINED_COLUMNS]
        heads = self.field.heads
        for name, head in (("opacity_head", heads.opacity), ("shape_head", heads.shape), ("colour_head", heads.colour)):
            groups.append({"name": name, "params": list(head.parameters())})
        groups.append({"name": "appearance", "params": [self.field.appearance]})
        return torch.optim.Adam(groups, lr=0.0, eps=1e-15, fused=True)

    def _set_learning_rates(self, stage: Stage) -> None:
        rates = learning_rates(self.options.rates, stage, self.step_index / self.options.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rates[group["name"]]


def open_session(
    scene: Scene, scaffold: ScaffoldOptions, training: TrainingOptions, rasterizer: Rasterizer
) -> TrainingSession:
    """A training of a scene that has not begun: reads the train frames and the proxy, nothing of the test frames.

    Raises:
        S3DError: an option is out of its range, or the proxy cannot start a scene.
    """
    check_options(scaffold, training)
    views = load_training_views(scene)
    generator = _generator(training.seed, 0, 0)
    anchors, voxel = anchors_from_proxy(scene.proxy, scaffold, generator)
    field = AnchorField(anchors, scaffold, len(views), generator)
    return TrainingSession(views, field.to(rasterizer.device), voxel, rasterizer, training)


def _with_fixed_looks(gaussians: Gaussians) -> Gaussians:
    """The same Gaussians, of which nothing but the features can learn."""
    fixed = {
        column.name: getattr(gaussians, column.name).detach() for column in fields(Gaussians) if column.name != "features"
    }
    return replace(gaussians, **fixed)


def _generator(*numbers: int) -> torch.Generator:
    """A generator that depends on the numbers alone, so that nothing of it must be kept in a checkpoint."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return torch.Generator().manual_seed(mixed)
