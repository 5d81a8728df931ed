"""Stages are data: which step belongs where, and how rates move."""

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.training.options import LearningRates, Stage, TrainingOptions
from s3d_splat.training.stages import learning_rates, stage_at, stage_ends


def options(steps: int) -> TrainingOptions:
    return TrainingOptions(steps=steps, stages=(Stage("a", share=1.0), Stage("b", share=3.0)))


def test_shares_scale_with_the_number_of_steps():
    assert stage_ends(options(100)) == (25, 100)
    assert stage_ends(options(8)) == (2, 8)


def test_every_step_has_its_stage():
    assert [stage_at(options(8), step).name for step in range(8)] == ["a"] * 2 + ["b"] * 6


@pytest.mark.parametrize(
    "broken", [TrainingOptions(steps=0), TrainingOptions(stages=()), TrainingOptions(stages=(Stage("a", 0.0),))]
)
def test_a_training_without_steps_is_refused(broken: TrainingOptions):
    with pytest.raises(S3DError, match="cannot run"):
        stage_ends(broken)


def test_rates_fall_exponentially_and_features_slow_down():
    rates = LearningRates(offset=0.01, offset_end=0.0001, feature=0.001)
    middle = learning_rates(rates, Stage("joint", 1.0, feature_rate=0.1), progress=0.5)
    assert middle["offsets"] == pytest.approx((0.01 * 0.0001) ** 0.5)
    assert middle["feature"] == pytest.approx(0.0001)
