"""Poses as the capture brings them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.geometry.options import GeometryOptions
from s3d_splat.priors.geometry.registry import default_geometry, make_geometry_prior
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Frame, Lens, Observation

PINHOLE = Lens(100.0, 110.0, 32.0, 24.0, 0.0, 0.0, 0.0, 0.0)
POSE = torch.tensor([[1.0, 0, 0, 7], [0, 0, -1, 8], [0, 1, 0, 9], [0, 0, 0, 1]], dtype=torch.float64)
VIEW = CaptureView("a.jpg", Path("elsewhere/a.jpg"), 64, 48, PINHOLE, POSE, depth_path=Path("d.png"), depth_scale=0.25)


def refuse(frame: Frame) -> Observation:
    raise AssertionError(f"{frame.file_path} need not be read")


def capture_of(*views: CaptureView) -> Capture:
    return Capture(Path("home"), "test", tuple(view.name for view in views), (CaptureCluster(views),))


def test_poses_and_units_are_untouched(tmp_path: Path) -> None:
    (frame,) = GivenGeometry().pose(CaptureCluster((VIEW,)), tmp_path, refuse).frames
    assert torch.equal(frame.camera.T_world_camera, POSE)
    camera = frame.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (100.0, 110.0, 32.0, 24.0)
    assert (frame.depth_scale, frame.depth_path, frame.lens, frame.split) == (0.25, Path("d.png"), None, "train")


def test_a_bent_lens_is_handed_on_and_the_camera_is_the_undistorted_one(tmp_path: Path) -> None:
    bent = replace(PINHOLE, k1=0.1)
    (frame,) = GivenGeometry().pose(CaptureCluster((replace(VIEW, lens=bent),)), tmp_path, refuse).frames
    assert frame.lens == bent
    camera = frame.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == undistorted_intrinsics(bent, 64, 48)


def test_a_missing_pose_is_named() -> None:
    with pytest.raises(S3DError, match=r"home, cluster 0: image b.jpg has no pose"):
        GivenGeometry().check(capture_of(VIEW, replace(VIEW, name="b.jpg", T_cluster_camera=None)))


def test_missing_intrinsics_are_named(tmp_path: Path) -> None:
    without_lens = replace(VIEW, lens=None)
    with pytest.raises(S3DError, match=r"image a.jpg has no intrinsics"):
        GivenGeometry().pose(CaptureCluster((without_lens,)), tmp_path, refuse)
    with pytest.raises(S3DError, match="no intrinsics"):
        make_geometry_prior(GeometryOptions("given"), capture_of(without_lens))


def test_given_is_the_default_where_every_view_has_a_pose() -> None:
    assert default_geometry(capture_of(VIEW, VIEW)) == "given"
    assert default_geometry(capture_of(VIEW, replace(VIEW, T_cluster_camera=None))) == "colmap"
    assert make_geometry_prior(GeometryOptions(), capture_of(VIEW)).name == "given"
