"""Alignment from files: a box that the camera went round, in clusters of which each has a gauge of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.align import align
from s3d_splat.alignment.options import PoseOptions
from s3d_splat.alignment.values import Alignment
from s3d_splat.errors import S3DError
from s3d_splat.geometry.similarity import inverse, scale_of
from s3d_splat.metrics.trajectory import absolute_trajectory_error
from s3d_splat.types import PosedCluster
from tests.alignment.box_world import any_gauges, clusters_of, ring

POSES = ring(60)
NAMES = [f"{index:03d}.png" for index in range(60)]
RANGES = [range(0, 24), range(20, 44), range(38, 60)]
GAUGES = any_gauges(3)


def error(alignment: Alignment) -> float:
    """Of the camera centres, metres, after the best similarity."""
    centres = np.stack([frame.camera.T_world_camera[:3, 3].numpy() for frame in alignment.frames])
    return absolute_trajectory_error(centres, POSES[[frame.index for frame in alignment.frames], :3, 3])


def moved_to(clusters: Sequence[PosedCluster], folder: Path) -> list[PosedCluster]:
    """The same clusters, naming files of another folder."""
    return [
        dataclasses.replace(
            cluster, frames=tuple(dataclasses.replace(f, depth_path=folder / f.file_path) for f in cluster.frames)
        )
        for cluster in clusters
    ]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedCluster, ...]:
    return clusters_of(tmp_path_factory.mktemp("exact"), POSES, RANGES, GAUGES)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedCluster, ...]:
    folder = tmp_path_factory.mktemp("faulty")
    return clusters_of(folder, POSES, RANGES, GAUGES, depth_scale_error=0.03, outliers=0.1, drift=(2.0, 0.02))


@pytest.fixture(scope="module")
def aligned(exact: tuple[PosedCluster, ...]) -> Alignment:
    return align(exact, NAMES, PoseOptions(), seed=0)


def test_gauges_are_found(aligned: Alignment) -> None:
    assert error(aligned) < 2e-3
    T = np.stack([gauge.numpy() for gauge in aligned.T_world_cluster])
    for first, second in ((0, 1), (1, 2), (0, 2)):
        np.testing.assert_allclose(inverse(T[first]) @ T[second], GAUGES[first] @ inverse(GAUGES[second]), atol=4e-3)


def test_the_new_world_stands_upright_in_the_mean_unit(aligned: Alignment) -> None:
    poses = torch.stack([frame.camera.T_world_camera for frame in aligned.frames])
    np.testing.assert_allclose(poses[:, :3, 3].mean(0), 0, atol=1e-9)
    up = -poses[:, :3, 1].mean(0)
    np.testing.assert_allclose(up / up.norm(), [0, 0, 1], atol=1e-9)
    scales = np.array([float(scale_of(gauge.numpy())) for gauge in aligned.T_world_cluster])
    assert np.log(scales).mean() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(poses[:, :3, :3] @ poses[:, :3, :3].mT, torch.eye(3).double().expand(60, 3, 3), atol=1e-9)


def test_depth_is_in_units_of_the_world(aligned: Alignment, exact: tuple[PosedCluster, ...]) -> None:
    for frame in aligned.frames:
        for source in frame.sources:
            given = exact[source.cluster].frames[frame.index - RANGES[source.cluster].start]
            scale = float(scale_of(aligned.T_world_cluster[source.cluster].numpy()))
            assert source.frame.depth_scale == pytest.approx(given.depth_scale * scale)
            assert torch.equal(source.frame.camera.T_world_camera, frame.camera.T_world_camera)


def test_the_first_source_is_farthest_from_the_ends_of_its_cluster(aligned: Alignment) -> None:
    """Images 20-23 are in clusters 0 (0-23) and 1 (20-43)."""
    sources = {frame.index: [source.cluster for source in frame.sources] for frame in aligned.frames}
    assert [sources[index] for index in (19, 20, 21, 22, 23, 24)] == [[0], [0, 1], [0, 1], [1, 0], [1, 0], [1]]
    assert [frame.index for frame in aligned.frames] == list(range(60))


def test_places_seen_again_take_the_drift_away(faulty: tuple[PosedCluster, ...]) -> None:
    seen: list[int] = []
    closed = align(faulty, NAMES, PoseOptions(), 0, lambda done, total: seen.append(round(1000 * done / total)))
    chained = align(faulty, NAMES, PoseOptions(loops=False), seed=0)
    assert error(closed) < 0.015
    assert error(closed) < 0.6 * error(chained)
    assert {edge.kind for edge in closed.edges} == {"overlap", "loop"}
    assert {edge.kind for edge in chained.edges} == {"overlap"}
    assert seen == sorted(seen)
    assert seen[-1] <= 1000


def test_the_same_seed_gives_the_same_world(exact: tuple[PosedCluster, ...]) -> None:
    first, second = (align(exact[:2], NAMES, PoseOptions(), seed=1) for _ in range(2))
    for a, b in zip(first.frames, second.frames, strict=True):
        assert torch.equal(a.camera.T_world_camera, b.camera.T_world_camera)


def test_one_cluster_is_kept_to_the_last_bit(exact: tuple[PosedCluster, ...], tmp_path: Path) -> None:
    """Nothing is read for it either."""
    (cluster,) = moved_to(exact[:1], tmp_path / "missing")
    alignment = align([cluster], NAMES, PoseOptions(), seed=0)
    for frame, given in zip(alignment.frames, cluster.frames, strict=True):
        assert torch.equal(frame.camera.T_world_camera, given.camera.T_world_camera)
        assert frame.sources[0].frame == given
    assert torch.equal(alignment.T_world_cluster[0], torch.eye(4, dtype=torch.float64))


def test_one_gauge_in_several_clusters_is_kept_to_the_last_bit(tmp_path: Path) -> None:
    ranges = [range(0, 8), range(5, 12)]
    clusters = clusters_of(tmp_path, POSES, ranges, np.stack([GAUGES[0]] * 2), depth_scale_error=0.03)
    alignment = align(clusters, NAMES, PoseOptions(), seed=0)
    given = {frame.file_path: frame for cluster in clusters for frame in cluster.frames}
    for frame in alignment.frames:
        assert torch.equal(frame.camera.T_world_camera, given[f"images/{frame.name}"].camera.T_world_camera)
    assert all(torch.equal(T, torch.eye(4, dtype=torch.float64)) for T in alignment.T_world_cluster)


def test_clusters_that_share_no_image_are_joined_where_they_saw_one_place(tmp_path: Path) -> None:
    clusters = clusters_of(tmp_path, POSES, [range(0, 10), range(50, 60)], GAUGES[:2])
    alignment = align(clusters, NAMES, PoseOptions(), seed=0)
    assert len(alignment.frames) == 20
    assert error(alignment) < 0.02


def test_clusters_that_saw_different_places_are_named(tmp_path: Path) -> None:
    clusters = clusters_of(tmp_path, POSES, [range(0, 6), range(4, 10), range(25, 30)], GAUGES)
    message = r"clusters 0-1 \(from 000.png\) and 2 \(from 025.png\) cannot be joined\n.*no place was found"
    with pytest.raises(S3DError, match=message):
        align(clusters, NAMES, PoseOptions(), seed=0)


def test_without_loops_clusters_without_shared_images_are_named_before_anything_is_read(
    exact: tuple[PosedCluster, ...], tmp_path: Path
) -> None:
    clusters = moved_to([exact[0], exact[2]], tmp_path / "missing")
    with pytest.raises(S3DError, match=r"clusters 0 .* and 1 .* cannot be joined\n.*share no images"):
        align(clusters, NAMES, PoseOptions(loops=False), seed=0)


def test_nothing_posed() -> None:
    with pytest.raises(S3DError, match="no image of the capture could be posed"):
        align([PosedCluster(())], NAMES, PoseOptions(), seed=0)


def test_a_cluster_without_images_is_left_out(exact: tuple[PosedCluster, ...]) -> None:
    alignment = align([exact[0], PosedCluster(()), exact[1]], NAMES, PoseOptions(loops=False), seed=0)
    assert len(alignment.frames) == 44
    assert len(alignment.T_world_cluster) == 3
    assert error(alignment) < 5e-3
