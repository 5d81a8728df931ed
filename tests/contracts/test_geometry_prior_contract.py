"""What every geometry prior promises, on each that works here."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.geometry.cameras import project, unproject_depth
from s3d_splat.io.observations import load_observation
from s3d_splat.metrics.trajectory import absolute_trajectory_error, pair_errors
from s3d_splat.priors.geometry.base import GeometryPrior
from s3d_splat.priors.geometry.options import ColmapOptions, GeometryOptions
from s3d_splat.priors.geometry.registry import GEOMETRY_PRIORS, make_geometry_prior
from s3d_splat.types import CaptureCluster, PosedCluster
from tests.priors.oracle import truth
from tests.priors.relief import COUNT, TABLE, relief_capture, true_pose

NO_COLMAP = pytest.mark.skipif(importlib.util.find_spec("pycolmap") is None, reason="pycolmap is not installed")
MARKS = {"given": [], "colmap": [NO_COLMAP], "depth_anything3": []}


@dataclass(frozen=True)
class Case:
    prior: GeometryPrior
    cluster: CaptureCluster
    work: Path
    posed: PosedCluster
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS[name], id=name) for name in GEOMETRY_PRIORS])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with pytest.MonkeyPatch.context() as patch:
        # The network itself is replaced by one that makes no mistake.
        patch.setattr("s3d_splat.priors.geometry.depth_anything3.find_network", lambda options, accepted: (Path(), ""))
        patch.setattr("s3d_splat.priors.geometry.depth_anything3.load_network", lambda folder, name: truth)
        yield _case(request.param, tmp_path_factory)


def _case(name: str, tmp_path_factory: pytest.TempPathFactory) -> Case:
    capture = relief_capture(tmp_path_factory.mktemp("capture"))
    prior = make_geometry_prior(GeometryOptions(name, ColmapOptions(max_features=600, threads=1)), capture)
    work, progress = tmp_path_factory.mktemp("work"), []
    posed = prior.pose(capture.clusters[0], work, load_observation, lambda done, total: progress.append((done, total)))
    return Case(prior, capture.clusters[0], work, posed, progress)


def test_the_table_holds_priors_under_their_names(case: Case) -> None:
    assert isinstance(case.prior, GeometryPrior)
    assert GEOMETRY_PRIORS[case.prior.name](GeometryOptions()).name == case.prior.name


def test_frames_are_the_views_in_order(case: Case) -> None:
    assert len(case.posed.frames) == COUNT
    for view, frame in zip(case.cluster.views, case.posed.frames, strict=True):
        assert frame.file_path == f"images/{view.name}"
        assert (frame.image_path, frame.depth_path, frame.instance_path) == (
            view.image_path,
            view.depth_path,
            view.instance_path,
        )
        assert (frame.split, frame.depth_scale) == (view.split, view.depth_scale)
        assert (frame.camera.width, frame.camera.height) == (view.width, view.height)
    assert case.posed.instances == TABLE


def test_poses_are_rigid_and_precise(case: Case) -> None:
    for frame in case.posed.frames:
        pose = frame.camera.T_world_camera
        assert pose.dtype == torch.float64
        torch.testing.assert_close(pose[:3, :3] @ pose[:3, :3].T, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)
        assert pose[3].tolist() == [0, 0, 0, 1]


def test_poses_are_true_up_to_a_similarity(case: Case) -> None:
    found = np.stack([frame.camera.T_world_camera.numpy() for frame in case.posed.frames])
    true = np.stack([true_pose(index) for index in range(COUNT)])
    assert pair_errors(found, true, np.ones(COUNT, bool)).max() < 2  # degrees
    assert absolute_trajectory_error(found[:, :3, 3], true[:, :3, 3]) < 0.01


def test_depth_fits_the_poses(case: Case) -> None:
    """A pixel lifted by its depth and seen by another camera has the depth that this one measured there."""
    first, last = (case.posed.frames[index] for index in (2, 5))
    seen, other = load_observation(first), load_observation(last)
    assert seen.depth is not None
    assert other.depth is not None
    points = unproject_depth(seen.depth.double(), first.camera).reshape(-1, 3)
    pixels, depth = project(points, last.camera)
    column, row = pixels.floor().long().unbind(-1)
    inside = (column >= 0) & (column < last.camera.width) & (row >= 0) & (row < last.camera.height)
    error = (other.depth[row[inside], column[inside]] / depth[inside] - 1).abs()
    assert error.median() < 0.01
    assert (error < 0.03).double().mean() > 0.9  # the rest is hidden by the block


def test_progress_never_runs_back(case: Case) -> None:
    done = [step for step, _ in case.progress]
    assert done == sorted(done)
    assert all(step <= total for step, total in case.progress)
    assert not case.progress or case.progress[-1][0] == case.progress[-1][1]


def test_another_call_says_the_same(case: Case) -> None:
    again = case.prior.pose(case.cluster, case.work, load_observation)
    for one, other in zip(case.posed.frames, again.frames, strict=True):
        assert torch.equal(one.camera.T_world_camera, other.camera.T_world_camera)
