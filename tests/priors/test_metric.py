"""The unit that depth images give to a model."""

import logging

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.metric import depth_ratios, metric_scale


def test_ratios_are_taken_on_smooth_surfaces_only() -> None:
    depth = np.full((20, 20), 3.0)
    depth[:, 12:] = 6.0  # a step
    depth[12:18, 2:8] = 0.0  # a hole
    pixels = np.array([[4.5, 4.5], [11.5, 4.5], [5.5, 14.5], [17.5, 4.5], [25.0, 4.0], [4.5, 5.5]])
    along_z = np.array([1.5, 1.5, 1.5, 2.0, 1.0, -1.0])
    np.testing.assert_allclose(depth_ratios(depth, pixels, along_z), [3.0 / 1.5, 6.0 / 2.0])


def test_depth_with_a_hole_in_every_third_row_and_column_counts() -> None:
    """16 of the 25 pixels around (9, 9) are known, the cross through it being empty; 9 of those around (10, 10)."""
    depth = np.full((20, 20), 3.0)
    depth[::3] = depth[:, ::3] = 0.0
    along_z = np.array([1.5])
    np.testing.assert_allclose(depth_ratios(depth, np.array([[9.5, 9.5]]), along_z), [3.0 / 1.5])
    assert len(depth_ratios(depth, np.array([[10.5, 10.5]]), along_z)) == 0


def test_the_scale_is_the_median() -> None:
    ratios = np.concatenate([np.full(60, 2.0), np.full(40, 90.0)])
    assert metric_scale(ratios, "here") == pytest.approx(2.0)


def test_few_ratios_are_refused() -> None:
    with pytest.raises(S3DError, match="here: 3 points of the model have a depth"):
        metric_scale(np.ones(3), "here")


def test_depth_that_contradicts_the_model_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        metric_scale(np.exp(np.random.default_rng(0).normal(0, 0.3, 2000)), "here")
    assert "here: depth images and structure from motion differ by" in caplog.text
