"""Points for poses that came without any, and what wrong poses are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.io.observations import load_observation
from s3d_splat.priors.geometry.dense.triangulation import triangulated
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.types import PosedCluster
from tests.priors.relief import BLOCK, COUNT, WALL, relief_capture, without

pytest.importorskip("pycolmap")
OPTIONS = ColmapOptions(max_features=600, threads=1)


def bare_cluster(folder: Path) -> PosedCluster:
    (cluster,) = without(relief_capture(folder), depth_path=None, instance_path=None).clusters
    return GivenGeometry().pose(cluster, folder, load_observation)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> PosedCluster:
    return bare_cluster(tmp_path_factory.mktemp("relief"))


@pytest.fixture(scope="module")
def found(bare: PosedCluster, tmp_path_factory: pytest.TempPathFactory) -> PosedCluster:
    return triangulated(bare, tmp_path_factory.mktemp("work"), load_observation, OPTIONS)


def test_points_lie_on_the_surfaces(found: PosedCluster) -> None:
    assert found.points is not None
    z = found.points.points[:, 2].numpy()
    off = np.minimum(np.abs(z - WALL), np.abs(z - BLOCK))
    assert len(z) > 100
    assert np.quantile(off, 0.9) < 0.03


def test_sparse_depths_are_those_of_the_points(found: PosedCluster) -> None:
    assert found.points is not None
    assert found.sparse is not None
    assert len(found.sparse) == COUNT
    for frame, sparse in zip(found.frames, found.sparse, strict=True):
        pose = frame.camera.T_world_camera
        own = (found.points.points[sparse.point].double() - pose[:3, 3]) @ pose[:3, :3]
        torch.testing.assert_close(sparse.depth.double(), own[:, 2], atol=1e-5, rtol=1e-5)
        pixels = own[:, :2] / own[:, 2:] * frame.camera.fx + torch.tensor([frame.camera.cx, frame.camera.cy])
        assert float((pixels - sparse.pixels).norm(dim=1).median()) < 0.5


def test_colours_are_those_of_the_images(found: PosedCluster) -> None:
    """The texture is in 0.5..1, darkened to .55 of that on the block."""
    assert found.points is not None
    colours = found.points.colours
    assert 0.2 < float(colours.min()) <= float(colours.max()) <= 1
    on_wall = (found.points.points[:, 2] - WALL).abs() < 0.05
    assert float(colours[on_wall].mean()) > 0.65


def test_poses_and_frames_stay_and_no_file_does(bare: PosedCluster, found: PosedCluster, tmp_path: Path) -> None:
    assert found.frames == bare.frames
    triangulated(replace(bare, frames=bare.frames[2:5]), tmp_path, load_observation, OPTIONS)
    assert not list(tmp_path.iterdir())


def test_poses_in_wrong_axes_are_refused(bare: PosedCluster, tmp_path: Path) -> None:
    frames = tuple(
        replace(frame, camera=replace(frame.camera, T_world_camera=opengl_from_opencv(frame.camera.T_world_camera)))
        for frame in bare.frames
    )
    with pytest.raises(S3DError, match=r"the 7 images from images/00.png have \d+ points in common under their poses"):
        triangulated(replace(bare, frames=frames), tmp_path, load_observation, OPTIONS)
