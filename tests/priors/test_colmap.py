"""Structure from motion on a small relief; the contract test holds what it shares with other priors."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import project
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_observation
from s3d_splat.metrics.trajectory import absolute_trajectory_error
from s3d_splat.priors.geometry.colmap import ColmapGeometry
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.types import Capture, CaptureCluster, Frame, Observation, PosedCluster
from tests.priors.relief import COUNT, DEPTH_SCALE, FOCAL, HEIGHT, WIDTH, relief_capture, true_pose, without

pytest.importorskip("pycolmap")
PRIOR = ColmapGeometry(ColmapOptions(max_features=600, threads=2))
TRUE_CENTRES = np.stack([true_pose(index)[:3, 3] for index in range(COUNT)])


@dataclass(frozen=True)
class Solved:
    cluster: CaptureCluster
    work: Path
    posed: PosedCluster


def solve(cluster: CaptureCluster, work: Path) -> Solved:
    return Solved(cluster, work, PRIOR.pose(cluster, work, load_observation))


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return relief_capture(tmp_path_factory.mktemp("capture"))


@pytest.fixture(scope="module")
def known(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Solved:
    """With intrinsics and depth."""
    return solve(capture.clusters[0], tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def unknown(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Solved:
    """Images alone: no poses, no intrinsics, no depth."""
    images = without(capture, lens=None, T_cluster_camera=None, depth_path=None)
    return solve(images.clusters[0], tmp_path_factory.mktemp("work"))


def centres(posed: PosedCluster) -> np.ndarray:
    return np.stack([frame.camera.T_world_camera[:3, 3].numpy() for frame in posed.frames])


def black(folder: Path, count: int) -> CaptureCluster:
    capture = relief_capture(folder)
    for view in capture.clusters[0].views[:count]:
        write_image(view.image_path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return capture.clusters[0]


def test_an_unknown_lens_is_estimated_once_for_all(unknown: Solved) -> None:
    focal = {frame.camera.fx for frame in unknown.posed.frames}
    assert len(unknown.posed.frames) == COUNT
    assert len(focal) == 1
    assert focal.pop() == pytest.approx(FOCAL, rel=0.15)  # a short arc before two flat walls tells little more
    assert absolute_trajectory_error(centres(unknown.posed), TRUE_CENTRES) < 0.03


def test_points_are_seen_where_sparse_depth_says(unknown: Solved) -> None:
    points, sparse_depths = unknown.posed.points, unknown.posed.sparse
    assert points is not None
    assert sparse_depths is not None
    for frame, sparse in zip(unknown.posed.frames, sparse_depths, strict=True):
        camera = replace(frame.camera, T_world_camera=frame.camera.T_world_camera.float())
        pixels, depth = project(points.points[sparse.point], camera)
        torch.testing.assert_close(depth, sparse.depth, rtol=1e-3, atol=1e-4)
        assert (pixels - sparse.pixels).norm(dim=1).median() < 1
        assert len(sparse.point) > 50


def test_points_have_the_colours_of_the_images(unknown: Solved) -> None:
    points, sparse_depths = unknown.posed.points, unknown.posed.sparse
    assert points is not None
    assert sparse_depths is not None
    image = load_observation(unknown.posed.frames[0]).image / 255
    column, row = sparse_depths[0].pixels.floor().long().unbind(-1)
    assert (image[row, column] - points.colours[sparse_depths[0].point]).abs().median() < 0.05


def test_depth_images_give_the_unit(known: Solved) -> None:
    """Centres are those of the true world, moved and turned but not scaled; another depth unit scales them alike."""
    doubled = replace(known.cluster, views=tuple(replace(view, depth_scale=2 * DEPTH_SCALE) for view in known.cluster.views))
    for posed, unit in ((known.posed, 1), (solve(doubled, known.work).posed, 2)):
        span, true = (np.linalg.norm(x - x.mean(axis=0), axis=1) for x in (centres(posed), TRUE_CENTRES))
        np.testing.assert_allclose(span, unit * true, rtol=0.03, atol=0.01)
        assert posed.sparse is None
        assert posed.points is None
        assert all(frame.depth_scale == unit * DEPTH_SCALE and frame.camera.fx == FOCAL for frame in posed.frames)


def test_depth_of_some_images_gives_the_unit_and_points_come_along(known: Solved) -> None:
    first, *others = known.cluster.views
    partly = replace(known.cluster, views=(replace(first, depth_path=None), *others))
    posed = solve(partly, known.work).posed
    assert posed.sparse is not None
    np.testing.assert_allclose(centres(posed), centres(known.posed), rtol=0.02, atol=0.02)
    assert 3.0 < float(posed.sparse[0].depth.median()) < 5.5  # the block is at 3.5, the wall at 5


def test_blank_depth_is_refused(known: Solved, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    write_image(blank, np.zeros((HEIGHT, WIDTH), np.uint16))
    cluster = replace(known.cluster, views=tuple(replace(view, depth_path=blank) for view in known.cluster.views))
    with pytest.raises(S3DError, match="0 points of the model have a depth"):
        solve(cluster, known.work)


def test_a_finished_model_is_kept_and_a_damaged_one_made_again(unknown: Solved, tmp_path: Path) -> None:
    reads: list[str] = []

    def counting(frame: Frame) -> Observation:
        reads.append(frame.file_path)
        return load_observation(frame)

    assert [path.name for path in unknown.work.iterdir()] == ["structure.npz"]
    kept = (unknown.work / "structure.npz").read_bytes()
    (tmp_path / "structure.npz").write_bytes(kept)
    again = PRIOR.pose(unknown.cluster, tmp_path, counting)
    assert len(reads) == COUNT  # for the colours of the points
    (tmp_path / "structure.npz").write_bytes(kept[:1000])
    (tmp_path / ".partial-structure").mkdir()
    (tmp_path / ".partial-structure" / "database.db").write_text("half written")
    anew = PRIOR.pose(unknown.cluster, tmp_path, counting)
    assert len(reads) == COUNT + 2 * COUNT + 1  # and for features, after a look at the first image
    for other in (again, anew):  # the same seed: the same model, made twice
        np.testing.assert_array_equal(centres(unknown.posed), centres(other))


def test_other_options_or_images_make_another_model(known: Solved) -> None:
    def refuse(frame: Frame) -> Observation:
        raise S3DError("read", why="", fix="")

    with pytest.raises(S3DError, match="read"):
        ColmapGeometry(ColmapOptions(max_features=701)).pose(known.cluster, known.work, refuse)
    with pytest.raises(S3DError, match="read"):
        PRIOR.pose(replace(known.cluster, views=known.cluster.views[1:]), known.work, refuse)
    assert not (known.work / ".partial-structure").exists()


def test_an_image_of_something_else_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        posed = PRIOR.pose(black(tmp_path, 1), tmp_path / "work", load_observation)
    assert [frame.file_path for frame in posed.frames] == [f"images/{index:02d}.png" for index in range(1, COUNT)]
    assert "colmap: 1 of the 7 images from 00.png to 06.png are left out: 00.png" in caplog.text


def test_black_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match=r"no common view in 7 images \(00.png to 06.png\)"):
        PRIOR.pose(black(tmp_path, COUNT), tmp_path / "work", load_observation)


@pytest.mark.parametrize("index", [0, 3])
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_unreadable_images_are_named(tmp_path: Path, index: int, damage: str) -> None:
    capture = without(relief_capture(tmp_path), lens=None, depth_path=None)
    path = capture.clusters[0].views[index].image_path
    content = path.read_bytes()
    path.unlink()
    if damage == "cut short":
        path.write_bytes(content[:2000])
    with pytest.raises(S3DError, match=rf"images/0{index}.png.* cannot be read"):
        PRIOR.pose(capture.clusters[0], tmp_path / "work", load_observation)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(known: Solved, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file where a folder should be")
    with pytest.raises(S3DError, match="structure from motion cannot write to"):
        PRIOR.pose(known.cluster, tmp_path / "work", load_observation)


def test_a_full_disk_is_the_users_error(known: Solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[database_sqlite.cc:1262] SQLite error: database or disk is full")  # as pycolmap says it

    monkeypatch.setattr("s3d_splat.priors.geometry.mapping.map_images", full)
    with pytest.raises(S3DError, match="free disk space"):
        PRIOR.pose(known.cluster, tmp_path, load_observation)


def test_two_images_are_too_few(capture: Capture, tmp_path: Path) -> None:
    pair = CaptureCluster(capture.clusters[0].views[:2])
    with pytest.raises(S3DError, match="2 images are too few"):
        PRIOR.check(replace(capture, clusters=(pair,)))
    with pytest.raises(S3DError, match="2 images are too few"):
        PRIOR.pose(pair, tmp_path, load_observation)
