"""Which stage a step belongs to, and the learning rates there."""

from __future__ import annotations

from s3d_splat.errors import S3DError
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.training.options import LearningRates, Stage, TrainingOptions


def stage_ends(options: TrainingOptions) -> tuple[int, ...]:
    """The step after each stage's last, by its share of all steps; the last is `options.steps`.

    Raises:
        S3DError: there is no stage, no step, or a share is not positive.
    """
    if options.steps < 1 or not options.stages or any(stage.share <= 0 for stage in options.stages):
        raise S3DError(
            f"training of {options.steps} steps in {len(options.stages)} stages cannot run",
            why="there must be at least one step and one stage, and every stage needs a positive share of the steps",
            fix="give --steps at least 1 and stages with positive shares",
        )
    total = sum(stage.share for stage in options.stages)
    ends, share = [], 0.0
    for stage in options.stages:
        share += stage.share
        ends.append(round(options.steps * share / total))
    return tuple(ends)


def check_options(scaffold: ScaffoldOptions, training: TrainingOptions) -> None:
    """Refuse what cannot run, before anything is read.

    Raises:
        S3DError: a number that must be positive is not, or the stages are not sound (see `stage_ends`) or freeze what grows.
    """
    counts = {
        f"scaffold.{name}": getattr(scaffold, name) for name in ("children", "embedding", "hidden", "features", "anchors")
    }
    counts |= {f"scaffold.growth.{name}": getattr(scaffold.growth, name) for name in ("interval", "levels", "level_factor")}
    counts |= {"scaffold.growth.coarsest_factor": scaffold.growth.coarsest_factor, "training.log_every": training.log_every}
    for name, value in counts.items():
        if value < 1:
            raise S3DError(
                f"{name} is {value}", why="there must be at least one", fix=f"give --{name.replace('_', '-')} 1 or more"
            )
    if not 0.0 < scaffold.opacity < 1.0:
        raise S3DError(
            f"scaffold.opacity is {scaffold.opacity}",
            why="a Gaussian that is clear or solid from the start cannot learn",
            fix="give --scaffold.opacity a number between 0 and 1",
        )
    growing = [stage.name for stage in training.stages if stage.features and stage.growth]
    if training.freeze_appearance and growing:
        raise S3DError(
            f"stage {growing[0]!r} adds anchors while the looks are frozen",
            why="with training.freeze_appearance nothing but the features changes in stages that learn features",
            fix="switch growth off in that stage, or leave the looks free",
        )
    stage_ends(training)


def stage_at(options: TrainingOptions, step: int) -> Stage:
    """The stage of a step (0 .. steps - 1)."""
    for stage, end in zip(options.stages, stage_ends(options), strict=True):
        if step < end:
            return stage
    return options.stages[-1]


def learning_rates(rates: LearningRates, stage: Stage, progress: float) -> dict[str, float]:
    """Step size of every parameter group; `progress` runs from 0 to 1 over the whole training."""

    def fall(start: float, end: float) -> float:
        return start * (end / start) ** progress

    return {
        "embedding": rates.embedding,
        "log_extent": rates.extent,
        "offsets": fall(rates.offset, rates.offset_end),
        "opacity_logits": rates.opacity,
        "log_scales": rates.scale,
        "quaternions": rates.quaternion,
        "colour_logits": fall(rates.colour, rates.colour_end),
        "feature": rates.feature * stage.feature_rate,
        "opacity_head": fall(rates.opacity_head, rates.opacity_head_end),
        "shape_head": rates.shape_head,
        "colour_head": fall(rates.colour_head, rates.colour_head_end),
        "appearance": fall(rates.appearance, rates.appearance_end),
    }
