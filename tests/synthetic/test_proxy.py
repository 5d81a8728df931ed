"""The proxy holds a pixel per voxel, with noise along the ray and outliers."""

import numpy as np
import pytest

from s3d_splat.synthetic.proxy import NOISE, OUTLIERS, ProxyFusion
from s3d_splat.synthetic.render import Pinhole

CAMERA = Pinhole(fx=200.0, fy=200.0, cx=160.0, cy=120.0, width=320, height=240)


def _fused(target: int) -> tuple[np.ndarray, np.ndarray]:
    """A wall 2 m in front of a camera at the origin that looks along z, red on the left and green on the right."""
    image = np.zeros((240, 320, 3), dtype=np.uint8)
    image[:, :160, 0], image[:, 160:, 1] = 200, 100
    depth = np.full((240, 320), 2.0, dtype=np.float32)
    depth[:60] = 0.0
    fusion = ProxyFusion(CAMERA)
    fusion.add(np.eye(4), depth, image)
    cloud = fusion.cloud(target, np.random.default_rng(0))
    return cloud.points, cloud.colours


def test_noise_and_outliers_have_their_documented_size() -> None:
    points, _ = _fused(100_000)
    length = np.linalg.norm(points, axis=1)
    error = length - length * 2.0 / points[:, 2]
    wrong = np.abs(error) > 6 * NOISE
    assert wrong.mean() == pytest.approx(OUTLIERS, abs=0.006)
    assert error[~wrong].std() == pytest.approx(NOISE, rel=0.05)


def test_colours_are_those_of_the_pixels_and_holes_give_no_points() -> None:
    points, colours = _fused(100_000)
    assert len(points) == 120 * 160 - 30 * 160  # every second row and column, without the rows that have no depth
    left = points[:, 0] < 0
    np.testing.assert_array_equal(np.unique(colours[left], axis=0), [[200, 0, 0]])
    np.testing.assert_array_equal(np.unique(colours[~left], axis=0), [[0, 100, 0]])


def test_thinning_meets_its_target_and_stays_even() -> None:
    points, _ = _fused(2000)
    assert len(points) == pytest.approx(2000, rel=0.2)
    on_wall = points[np.abs(points[:, 2] - 2) < 0.05]
    counts, _ = np.histogram(on_wall[:, 0], bins=4, range=(-1.5, 1.5))
    assert counts.max() < 1.3 * counts.min()
