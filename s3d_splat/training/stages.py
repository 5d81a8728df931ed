"""Which stage a step belongs to, and the learning rates there."""

from __future__ import annotations

from s3d_splat.errors import S3DError
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
