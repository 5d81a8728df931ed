"""One depth from several sources, and pixels behind a lens or of other intrinsics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.alignment.pixels import fused_depth, load_image, load_masks, source_depth
from s3d_splat.alignment.values import Source
from s3d_splat.errors import S3DError
from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.types import Lens, SparseDepth
from tests.alignment.posed_images import camera_at, source, world_frame

CAMERA = camera_at((0.0, 0.0, 0.0), width=4, height=2)


def flat(value: float) -> torch.Tensor:
    return torch.full((2, 4), value)


def test_sources_that_agree_are_averaged_by_confidence(tmp_path: Path) -> None:
    first = source(tmp_path, "a.png", CAMERA, flat(2.0), cluster=0, confidence=flat(0.6))
    second = source(tmp_path, "a.png", CAMERA, flat(2.1), cluster=1, confidence=flat(0.2))
    depth, confidence = fused_depth(world_frame(first, second))
    torch.testing.assert_close(depth, flat((0.6 * 2.0 + 0.2 * 2.1) / 0.8))
    torch.testing.assert_close(confidence, flat(0.6))


def test_the_better_trusted_source_decides(tmp_path: Path) -> None:
    first = source(tmp_path, "a.png", CAMERA, flat(2.0), cluster=0, confidence=flat(0.2))
    second = source(tmp_path, "a.png", CAMERA, flat(3.0), cluster=1, confidence=flat(0.6))
    depth, confidence = fused_depth(world_frame(first, second))
    torch.testing.assert_close(depth, flat(3.0))
    torch.testing.assert_close(confidence, flat(0.6 * 0.6 / 0.8))


def test_of_equally_trusted_sources_the_first_decides_and_half_the_trust_is_lost(tmp_path: Path) -> None:
    first = source(tmp_path, "a.png", CAMERA, flat(2.0), cluster=0)
    second = source(tmp_path, "a.png", CAMERA, flat(3.0), cluster=1)
    depth, confidence = fused_depth(world_frame(first, second))
    torch.testing.assert_close(depth, flat(2.0))
    torch.testing.assert_close(confidence, flat(0.5))


def test_each_fills_the_holes_of_the_other(tmp_path: Path) -> None:
    left, right = flat(2.0), flat(3.0)
    left[:, 2:], right[:, :3] = 0, 0
    frame = world_frame(source(tmp_path, "a.png", CAMERA, left), source(tmp_path, "a.png", CAMERA, right, cluster=1))
    depth, confidence = fused_depth(frame)
    assert depth[0].tolist() == pytest.approx([2.0, 2.0, 0.0, 3.0])
    assert confidence[0].tolist() == [1.0, 1.0, 0.0, 1.0]


def test_depth_that_nobody_trusts_is_still_depth(tmp_path: Path) -> None:
    depth, confidence = fused_depth(world_frame(source(tmp_path, "a.png", CAMERA, flat(2.0), confidence=flat(0.0))))
    assert depth.eq(2).all()
    assert confidence.eq(0).all()


def test_sparse_points_count_only_without_a_depth_image(tmp_path: Path) -> None:
    sparse = SparseDepth(torch.tensor([[1.5, 0.5], [1.2, 0.9], [9.0, 0.5]]), torch.tensor([4.0, 3.0, 1.0]), torch.arange(3))
    bare = replace(source(tmp_path, "a.png", CAMERA), sparse=sparse)
    depth, confidence = fused_depth(world_frame(bare))
    assert depth.nonzero().tolist() == [[0, 1]]
    assert float(depth[0, 1]) == 3.0
    assert torch.equal(confidence, (depth > 0).float())
    depth, _ = fused_depth(world_frame(bare, source(tmp_path, "a.png", CAMERA, flat(2.0), cluster=1)))
    assert depth.eq(2).all()


def test_an_image_without_any_depth(tmp_path: Path) -> None:
    bare = source(tmp_path, "a.png", CAMERA)
    depth, confidence = fused_depth(world_frame(bare))
    assert depth.shape == (2, 4)
    assert not depth.any()
    assert not confidence.any()
    assert source_depth(bare, CAMERA) is None


def test_other_intrinsics_take_the_nearest_pixel(tmp_path: Path) -> None:
    """Twice the focal length shows the middle half of the image twice as large, half of it the area outside."""
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    wide = replace(CAMERA, fx=2.0, cx=1.0)
    frame = replace(world_frame(source(tmp_path, "a.png", wide, instances=ids)), camera=replace(CAMERA, fx=4.0, cx=0.0))
    masks = load_masks(frame)
    assert masks[0] is not None
    assert masks[0].tolist() == [[2, 2, 3, 3], [6, 6, 7, 7]]
    frame = replace(frame, camera=replace(CAMERA, fx=1.0, cx=1.5))
    masks = load_masks(frame)
    assert masks[0] is not None
    assert masks[0][0].tolist() == [0, 2, 4, 0]


def test_masks_of_all_sources_in_their_order(tmp_path: Path) -> None:
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 800]])
    masks = load_masks(world_frame(source(tmp_path, "a.png", CAMERA), source(tmp_path, "a.png", CAMERA, instances=ids)))
    assert masks[0] is None
    assert masks[1] is not None
    assert masks[1].tolist() == ids.tolist()


def test_everything_behind_a_lens_is_undistorted_alike(tmp_path: Path) -> None:
    """Depth, its confidence and the mask hold one pattern, and go on doing so."""
    lens = Lens(64.0, 64.0, 32.0, 24.0, k1=-0.3, k2=0.05, p1=0.0, p2=0.0)
    camera = replace(camera_at((0.0, 0.0, 0.0)), **undistorted_intrinsics(lens, 64, 48)._asdict())
    columns = torch.arange(64.0).expand(48, 64).clone()
    behind: Source = source(
        tmp_path, "a.png", camera, columns / 10 + 1, confidence=columns / 255, instances=columns.long(), lens=lens
    )
    frame = world_frame(behind)
    depth, confidence = fused_depth(frame)
    masks = load_masks(frame)
    assert masks[0] is not None
    moved = masks[0].float()
    assert not torch.equal(moved, columns)
    torch.testing.assert_close(depth, moved / 10 + 1)
    torch.testing.assert_close(confidence, moved / 255)
    assert load_image(frame).shape == (48, 64, 3)


def test_a_confidence_image_of_16_bits_is_refused(tmp_path: Path) -> None:
    given = source(tmp_path, "a.png", CAMERA, flat(2.0))
    wrong = replace(given, frame=replace(given.frame, confidence_path=given.frame.depth_path))
    with pytest.raises(S3DError, match="its confidence must be an 8-bit grey image"):
        fused_depth(world_frame(wrong))
