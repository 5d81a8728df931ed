"""Lenses: the undistorted image is that of a pinhole camera."""

import numpy as np
import pytest

from s3d_splat.geometry.lenses import undistort, undistorted_intrinsics, undistortion_maps
from s3d_splat.types import Lens

WIDTH, HEIGHT = 80, 60
BARREL = Lens(60.0, 62.0, 41.0, 29.0, k1=-0.12, k2=0.03, p1=0.002, p2=-0.001)
PINCUSHION = Lens(60.0, 62.0, 41.0, 29.0, k1=0.12, k2=0.01, p1=-0.001, p2=0.002)


def distorted(x: np.ndarray, y: np.ndarray, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's model: where the lens puts the ray (x, y, 1), in pixels with centres at +0.5."""
    square = x * x + y * y
    radial = 1 + lens.k1 * square + lens.k2 * square * square
    u = x * radial + 2 * lens.p1 * x * y + lens.p2 * (square + 2 * x * x)
    v = y * radial + lens.p1 * (square + 2 * y * y) + 2 * lens.p2 * x * y
    return lens.fx * u + lens.cx, lens.fy * v + lens.cy


@pytest.mark.parametrize("lens", [BARREL, PINCUSHION])
def test_maps_follow_the_lens_model(lens: Lens) -> None:
    pinhole = undistorted_intrinsics(lens, WIDTH, HEIGHT)
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    expected = distorted((columns - pinhole.cx) / pinhole.fx, (rows - pinhole.cy) / pinhole.fy, lens)
    found = undistortion_maps(lens, WIDTH, HEIGHT)
    np.testing.assert_allclose(found[0] + 0.5, expected[0], atol=1e-3)
    np.testing.assert_allclose(found[1] + 0.5, expected[1], atol=1e-3)


@pytest.mark.parametrize("lens", [BARREL, PINCUSHION])
def test_every_pixel_has_a_source_and_little_is_lost(lens: Lens) -> None:
    columns, rows = undistortion_maps(lens, WIDTH, HEIGHT)
    assert columns.min() > -1
    assert rows.min() > -1
    assert columns.max() < WIDTH
    assert rows.max() < HEIGHT
    assert columns.max() - columns.min() > 0.9 * WIDTH


def test_labels_are_never_mixed() -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 7, 60000], dtype=np.uint16), size=(HEIGHT, WIDTH))
    found = undistort(labels, BARREL, sampling="nearest")
    assert found.dtype == np.uint16
    assert set(np.unique(found)) <= {0, 7, 60000}
    columns, rows = undistortion_maps(BARREL, WIDTH, HEIGHT)
    assert found[20, 30] == labels[round(float(rows[20, 30])), round(float(columns[20, 30]))]


def test_colours_are_bilinear() -> None:
    ramp = np.repeat(np.arange(WIDTH, dtype=np.uint8)[None, :, None] * 3, HEIGHT, axis=0).repeat(3, axis=2)
    columns, _ = undistortion_maps(PINCUSHION, WIDTH, HEIGHT)
    found = undistort(ramp, PINCUSHION, sampling="bilinear")
    inner = (columns > 0) & (columns < WIDTH - 1)
    np.testing.assert_allclose(found[inner][:, 0], 3 * columns[inner], atol=1.0)
