"""Depth of one camera in the pixels of another: exact on planes, without holes, the nearest surface in front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.io.readers.calibration import RgbdCalibration, SensorCamera
from s3d_splat.io.readers.depth_registration import register_depth

CAMERA = SensorCamera(100.0, 100.0, 40.0, 30.0)
WIDTH, HEIGHT = 80, 60
SAME = RgbdCalibration(CAMERA, CAMERA, np.eye(4), 0.001)


def beside(metres: float) -> np.ndarray:
    """The colour camera sits so far to the right of the depth camera."""
    transform = np.eye(4)
    transform[0, 3] = -metres
    return transform


def flat(counts: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), counts, dtype=np.uint16)


def rays(camera: SensorCamera) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy


def test_one_camera_changes_nothing() -> None:
    counts = np.random.default_rng(0).integers(0, 60000, (HEIGHT, WIDTH)).astype(np.uint16)
    assert np.array_equal(register_depth(counts, SAME, WIDTH, HEIGHT), counts)


def test_65535_is_none() -> None:
    counts = flat(1000)
    counts[10:20, 10:20] = 65535
    registered = register_depth(counts, SAME, WIDTH, HEIGHT)
    assert (registered[10:20, 10:20] == 0).all()
    assert (registered == 1000).sum() == counts.size - 100


def test_a_wall_moves_by_its_disparity() -> None:
    """f b / z = 100 * 0.1 / 2 = 5 pixels to the left; the last 5 columns were never seen."""
    registered = register_depth(flat(2000), replace(SAME, T_colour_depth=beside(0.1)), WIDTH, HEIGHT)
    assert (registered[:, :-5] == 2000).all()
    assert (registered[:, -5:] == 0).all()


@pytest.mark.parametrize("magnification", [0.5, 0.9, 1.3, 2.0, 3.7])
def test_no_sieve_when_magnified(magnification: float) -> None:
    """A wall stays whole however much larger it is in colour, and nothing behind it shines through."""
    focal = 100.0 * magnification
    colour = SensorCamera(focal, focal, 40.0, 30.0)
    counts = flat(4000)
    counts[5:55, 5:75] = 1500
    registered = register_depth(counts, replace(SAME, colour=colour), WIDTH, HEIGHT)
    x, y = rays(colour)
    wall = (np.abs(x) < 0.34) & (np.abs(y) < 0.24)
    assert (registered[wall] == 1500).all()


@pytest.mark.parametrize("slope", [-1.2, -0.5, 0.5, 1.2])
def test_a_slanted_plane_has_no_holes_and_its_own_depth(slope: float) -> None:
    """The plane z = 1.5 + slope x, whose pixels move apart or together in the other view; tiles are flat, so the
    depth is right to one pixel of the slope."""
    x, _ = rays(CAMERA)
    counts = (1000 * 1.5 / (1 - slope * x)).round().astype(np.uint16)
    registered = register_depth(counts, replace(SAME, T_colour_depth=beside(0.1)), WIDTH, HEIGHT) / 1000
    expected = (1.5 + slope * 0.1) / (1 - slope * x)
    inner = registered[:, 2:60]
    assert (inner > 0).all()
    assert np.abs(inner - expected[:, 2:60]).max() < 1.1 * np.abs(np.diff(expected[0])).max() + 0.001


def test_the_nearest_surface_hides_the_others() -> None:
    """A post at 1 m moves by 10 pixels over a wall at 4 m, which moves by 2.5."""
    counts = flat(4000)
    counts[:, 40:50] = 1000
    registered = register_depth(counts, replace(SAME, T_colour_depth=beside(0.1)), WIDTH, HEIGHT)
    assert (registered[:, 30:40] == 1000).all()
    assert (registered[:, 10:30] == 4000).all()
    assert set(np.unique(registered[:, 40:48])) <= {0, 4000}
    assert (registered[:, 40:47] == 0).all()  # the wall that the post hid from the depth camera: 40..50 less 2.5


def test_pixels_and_points_agree() -> None:
    """Points of registered depth, taken back into the depth camera, lie on the surface that it measured."""
    angle = 0.05
    transform = beside(0.05)
    transform[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    colour = SensorCamera(90.0, 92.0, 41.0, 29.0)
    registered = register_depth(flat(2000), RgbdCalibration(colour, CAMERA, transform, 0.001), WIDTH, HEIGHT) / 1000
    x, y = rays(colour)
    points = np.stack([x * registered, y * registered, registered], axis=-1)[registered > 0]
    back = (points - transform[:3, 3]) @ transform[:3, :3]
    assert np.abs(back[:, 2] - 2.0).max() < 0.002
    assert (registered > 0).mean() > 0.8


def test_a_lens_bends_depth_like_colour() -> None:
    """With k1 = 0.5 the ray x = 0.3 is seen at x (1 + 0.5 * 0.09) = 0.3135: 1.35 pixels further out."""
    counts = flat(0)
    counts[29:31, 69:71] = 2000  # around x = 0.3, y = 0
    colour = replace(CAMERA, distortion=(0.5, 0.0, 0.0, 0.0, 0.0))
    registered = register_depth(counts, replace(SAME, colour=colour), WIDTH, HEIGHT)
    rows, columns = np.nonzero(registered)
    assert columns.mean() + 0.5 == pytest.approx(40 + 31.35, abs=0.7)
    assert rows.mean() + 0.5 == pytest.approx(30.0, abs=0.1)


def test_nothing_is_nothing() -> None:
    assert not register_depth(flat(0), SAME, WIDTH, HEIGHT).any()


def test_points_behind_the_colour_camera() -> None:
    transform = np.eye(4)
    transform[2, 3] = -3.0
    assert not register_depth(flat(2000), replace(SAME, T_colour_depth=transform), WIDTH, HEIGHT).any()
