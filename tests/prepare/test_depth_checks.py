"""Poses in other axes and depth in other units are noticed, named, and told from noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.prepare.depth_checks import Agreement, check_depth, factor_text
from s3d_splat.types import Frame, PosedCluster
from tests.prepare.box_world import box_cluster

FLIP = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))


def changed(cluster: PosedCluster, change: Callable[[torch.Tensor], torch.Tensor]) -> PosedCluster:
    frames = [replace(f, camera=replace(f.camera, T_world_camera=change(f.camera.T_world_camera))) for f in cluster.frames]
    return PosedCluster(tuple(frames))


def loader(depth: dict[str, torch.Tensor], factor: float = 1.0) -> Callable[[Frame], torch.Tensor]:
    return lambda frame: depth[frame.file_path] * factor


def test_depth_that_fits_passes():
    cluster, depth = box_cluster()
    found = check_depth(cluster, 0, "raw", loader(depth))
    assert found is not None
    assert (found.reading, found.factor) == ("", 1.0)
    assert found.given > 0.2  # of all points, those out of view included


def test_noise_and_a_drifting_scale_pass():
    cluster, depth = box_cluster()
    generator = torch.Generator().manual_seed(0)

    def spoilt(values: torch.Tensor) -> torch.Tensor:
        scale, noise = torch.randn((), generator=generator), torch.randn(values.shape, generator=generator)
        return values * (1 + 0.03 * scale) * (1 + 0.01 * noise)

    noisy = {name: spoilt(values) for name, values in depth.items()}
    assert check_depth(cluster, 0, "raw", loader(noisy)) is not None


@pytest.mark.parametrize(
    ("change", "said", "fix"),
    [
        (lambda pose: pose @ FLIP, "camera to world with OpenCV axes instead of OpenGL", "negate the second and third"),
        (lambda pose: torch.linalg.inv(pose) @ FLIP, "world to camera with OpenCV axes", "invert the matrices, then negate"),
        (lambda pose: FLIP @ torch.linalg.inv(pose), "world to camera with OpenGL axes", "invert the matrices"),
    ],
)
def test_poses_in_other_axes_are_named(change: Callable[[torch.Tensor], torch.Tensor], said: str, fix: str):
    cluster, depth = box_cluster()
    with pytest.raises(S3DError) as caught:
        check_depth(changed(cluster, change), 3, "raw", loader(depth))
    assert "the poses of cluster 3 are in the wrong axes" in caught.value.what
    assert said in caught.value.what
    assert fix in caught.value.fix


def test_formats_with_opencv_axes_are_told_apart():
    cluster, depth = box_cluster()
    with pytest.raises(S3DError, match="camera to world with OpenGL axes instead of OpenCV axes"):
        check_depth(changed(cluster, lambda pose: pose @ FLIP), 0, "tum", loader(depth))


@pytest.mark.parametrize(("factor", "said"), [(1000.0, "0.001"), (0.001, "1000"), (0.1, "10"), (10.0, "0.1")])
def test_depth_in_another_unit_is_named(factor: float, said: str):
    cluster, depth = box_cluster()
    frames = tuple(replace(frame, depth_scale=frame.depth_scale * factor) for frame in cluster.frames)
    with pytest.raises(S3DError) as caught:
        check_depth(PosedCluster(frames), 1, "raw", loader(depth, factor))
    assert (
        f"the depth of cluster 1 is in the wrong unit: it fits the poses when multiplied by about {said}"
        in caught.value.what
    )


def test_metres_rounded_to_whole_numbers_are_named():
    cluster, depth = box_cluster()
    rounded = {name: values.round() for name, values in depth.items()}
    frames = tuple(replace(frame, depth_scale=1.0) for frame in cluster.frames)
    with pytest.raises(S3DError, match=r"half of the depth is at or below \d counts"):
        check_depth(PosedCluster(frames), 0, "raw", loader(rounded))


def test_without_depth_there_is_nothing_to_compare():
    cluster, _ = box_cluster()
    frames = tuple(replace(frame, depth_path=None) for frame in cluster.frames)
    assert check_depth(PosedCluster(frames), 0, "raw", lambda frame: None) is None


def test_factors_are_written_as_people_know_them():
    assert [factor_text(value) for value in (0.00098, 1100.0, 25.4, 9.0)] == ["0.001", "1000", "25", "10"]


@pytest.mark.parametrize(
    ("given", "factor", "is_clear"),
    [
        (0.16, 1000.0, False),  # depth that is far too small would agree nowhere; a huge one agrees along every wall
        (0.01, 1000.0, True),
        (0.16, 0.001, True),
    ],
)
def test_a_much_larger_depth_must_explain_what_the_given_one_cannot_explain_at_all(given, factor, is_clear):
    assert Agreement(given=given, best=0.27, reading="", factor=factor).is_clear is is_clear
