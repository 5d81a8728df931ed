"""Depth on disk, in the pixels of the stored image, and as it is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from s3d_splat.geometry.lenses import distortion_maps, undistorted_intrinsics, undistortion_maps
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_confidence, load_depth
from s3d_splat.priors.geometry.dense.depth_files import RawDepth, with_depth
from s3d_splat.types import Camera, Frame, Lens

WIDTH, HEIGHT = 60, 40
BENT = Lens(50.0, 50.0, 30.0, 20.0, -0.15, 0.02, 0.001, -0.002)


def frame(lens: Lens | None = None) -> Frame:
    fx, fy, cx, cy = (50.0, 50.0, 30.0, 20.0) if lens is None else undistorted_intrinsics(lens, WIDTH, HEIGHT)
    camera = Camera(torch.eye(4, dtype=torch.float64), fx, fy, cx, cy, WIDTH, HEIGHT)
    return Frame("images/a.jpg", camera, "train", Path("a.jpg"), None, None, None, lens)


def ramp(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.linspace(3, 4, width * height, dtype=np.float32).reshape(height, width)


def read(written: Frame) -> tuple[np.ndarray, np.ndarray]:
    depth, confidence = load_depth(written), load_confidence(written)
    assert depth is not None
    assert confidence is not None
    return depth.numpy(), confidence.numpy()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    depth, confidence = ramp(), np.full((HEIGHT, WIDTH), 0.6, np.float32)
    depth[5, 7] = 0.0
    again, trusted = read(with_depth(frame(), tmp_path, depth, confidence, write_image))
    np.testing.assert_allclose(again, depth, atol=4 / 65535)
    np.testing.assert_allclose(trusted, 0.6, atol=1 / 255)


def test_no_depth_at_all(tmp_path: Path) -> None:
    nothing = np.zeros((HEIGHT, WIDTH), np.float32)
    again, trusted = read(with_depth(frame(), tmp_path, nothing, nothing, write_image))
    assert not again.any()
    assert not trusted.any()


def test_a_smaller_depth_image_is_enlarged_without_mixing_surfaces(tmp_path: Path) -> None:
    depth = np.full((HEIGHT // 2, WIDTH // 2), 2.0, np.float32)
    depth[:, 15:] = 5.0
    depth[:, :3] = 0.0
    again, _ = read(with_depth(frame(), tmp_path, depth, np.ones_like(depth), write_image))
    assert sorted({round(float(value), 3) for value in np.unique(again)}) == [0.0, 2.0, 5.0]
    again, _ = read(with_depth(frame(), tmp_path, ramp(WIDTH // 2, HEIGHT // 2), np.ones_like(depth), write_image))
    np.testing.assert_allclose(again[2:-2], ramp()[2:-2], atol=0.015)
    assert np.abs(np.diff(again, axis=0)).max() < 0.04  # linear, not in steps of two rows


def test_distortion_is_the_inverse_of_undistortion() -> None:
    there_column, there_row = distortion_maps(BENT, WIDTH, HEIGHT)
    column, row = undistortion_maps(BENT, WIDTH, HEIGHT)
    inside = (there_column > 1) & (there_column < WIDTH - 2) & (there_row > 1) & (there_row < HEIGHT - 2)
    at = np.rint(there_row[inside]).astype(int), np.rint(there_column[inside]).astype(int)
    own_row, own_column = np.nonzero(inside)
    assert np.abs(column[at] - own_column).max() < 0.8
    assert np.abs(row[at] - own_row).max() < 0.8


def test_behind_a_bent_lens_the_undistorted_depth_comes_back(tmp_path: Path) -> None:
    again, trusted = read(with_depth(frame(BENT), tmp_path, ramp(), np.ones((HEIGHT, WIDTH), np.float32), write_image))
    known = again > 0
    assert known.mean() > 0.95
    assert np.array_equal(trusted > 0, known)
    assert np.abs(again - ramp())[known].max() < 0.03  # a pixel up or down is 0.025


def test_raw_depth_comes_back(tmp_path: Path) -> None:
    raw = RawDepth(tmp_path, write_image)
    raw.write(3, ramp(), np.full((HEIGHT, WIDTH), 0.5, np.float32))
    depth, alike = raw.read(3)
    np.testing.assert_allclose(depth, ramp(), atol=4 / 65535)
    np.testing.assert_allclose(alike, 0.5, atol=1 / 255)
