"""Masks that are given, and regions that are found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_id_png
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.masks.felzenszwalb import FelzenszwalbMasks, depth_steps, is_thin, largest_first, regions
from s3d_splat.priors.masks.given import GivenMasks
from s3d_splat.priors.masks.options import FelzenszwalbOptions, MaskOptions
from s3d_splat.priors.masks.registry import default_masks, make_mask_prior
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens, PosedCluster

pytest.importorskip("skimage")
OPTIONS = FelzenszwalbOptions()
PINHOLE = Lens(60.0, 60.0, 32.0, 24.0, 0.0, 0.0, 0.0, 0.0)
GREY = np.full((48, 64, 3), 128, np.uint8)


def halves() -> np.ndarray:
    image = GREY.copy()
    image[:, 40:] = [200, 30, 30]
    return image


def two_frames(folder: Path, lens: Lens = PINHOLE) -> PosedCluster:
    write_image(folder / "a.png", halves())
    write_image(folder / "b.png", halves())
    views = tuple(
        CaptureView(name, folder / name, 64, 48, lens, torch.eye(4, dtype=torch.float64)) for name in ("a.png", "b.png")
    )
    return GivenGeometry().pose(CaptureCluster(views), folder, load_observation)


def capture_with(mask: Path | None) -> Capture:
    view = CaptureView("a.png", Path("a.png"), 64, 48, PINHOLE, None)
    return Capture(
        Path("home"), "test", ("a.png",), (CaptureCluster((view,)), CaptureCluster((replace(view, instance_path=mask),)))
    )


def test_given_masks_are_the_default_where_one_view_has_them() -> None:
    assert default_masks(capture_with(Path("m.png"))) == "given"
    assert default_masks(capture_with(None)) == "felzenszwalb"
    assert make_mask_prior(MaskOptions(), capture_with(None)).name == "felzenszwalb"


def test_a_capture_without_masks_is_refused() -> None:
    with pytest.raises(S3DError, match="home: no image has masks"):
        make_mask_prior(MaskOptions("given"), capture_with(None))


def test_given_masks_stay_where_they_are(tmp_path: Path) -> None:
    cluster = two_frames(tmp_path)
    assert GivenMasks().segment(cluster, tmp_path, load_observation, write_id_png) is cluster


def test_colours_make_regions() -> None:
    assert np.unique(regions(GREY, None, OPTIONS)).tolist() == [0]
    found = regions(halves(), None, OPTIONS)
    assert len(np.unique(found)) == 2
    assert ((found == found[0, -1]) == (np.arange(64) >= 40)).mean() > 0.97


@pytest.mark.filterwarnings("ignore:Got image with third dimension of 4")
def test_a_step_of_depth_makes_regions_of_one_colour() -> None:
    depth = np.full((48, 64), 3.0, np.float32)
    depth[:, :24] = 2.0
    found = regions(GREY, depth, OPTIONS)
    assert len(np.unique(found)) == 2
    assert (found[:, :24] == found[0, 0]).all()
    assert (found[:, 24:] == found[0, -1]).all()
    assert np.unique(regions(GREY, depth, replace(OPTIONS, depth_weight=0.0))).tolist() == [0]


def test_a_slanted_plane_has_no_step() -> None:
    row, column = np.mgrid[:48, :64]
    depth = 1 / (0.1 + 0.004 * column + 0.002 * row)  # z of a plane, linear in its inverse
    assert depth_steps(depth)[3:-3, 3:-3].max() < 1e-9


def test_regions_without_a_middle_are_thin() -> None:
    stripes = np.repeat([[0] * 6 + [1] * 3 + [2] * 5 + [3] * 6], 20, axis=0)
    assert np.unique(stripes[is_thin(stripes, 1.5)]).tolist() == [1]
    assert np.unique(stripes[is_thin(stripes, 0.5)]).tolist() == []
    assert not is_thin(np.zeros((4, 4), int), 9.0).any()  # one region has no rim


def test_regions_are_numbered_by_size_and_limited() -> None:
    pattern = np.array([[0, 0, 1], [2, 2, 2], [2, 0, 3]])
    assert largest_first(pattern, 9).tolist() == [[2, 2, 3], [1, 1, 1], [1, 2, 4]]
    assert largest_first(pattern, 2).tolist() == [[2, 2, 0], [1, 1, 1], [1, 2, 0]]


def test_no_two_frames_share_an_id(tmp_path: Path) -> None:
    masked = FelzenszwalbMasks(OPTIONS).segment(two_frames(tmp_path), tmp_path / "work", load_observation, write_id_png)
    ids = [set(load_observation(frame).instances.unique().tolist()) for frame in masked.frames]
    assert ids == [{1, 2}, {32768, 32769}]  # 65535 ids, shared by two frames
    assert [(row.id, row.class_name, row.is_thing) for row in masked.instances] == [
        (id, "segment", True) for id in (1, 2, 32768, 32769)
    ]


def test_masks_lie_behind_the_lens_of_the_image(tmp_path: Path) -> None:
    """They are cut from the stored image, so that the loader undistorts both alike."""
    cluster = two_frames(tmp_path, replace(PINHOLE, k1=-0.3))
    frame = FelzenszwalbMasks(OPTIONS).segment(cluster, tmp_path / "work", load_observation, write_id_png).frames[0]
    seen = load_observation(frame)
    is_red = seen.image[..., 0] > 164
    assert ((seen.instances == 2) == is_red).double().mean() > 0.97


def test_too_many_frames_for_the_ids_are_refused(tmp_path: Path) -> None:
    cluster = PosedCluster(frames=two_frames(tmp_path).frames[:1] * 65536)
    with pytest.raises(S3DError, match="a cluster of 65536 frames is too large"):
        FelzenszwalbMasks(OPTIONS).segment(cluster, tmp_path, load_observation, write_id_png)
