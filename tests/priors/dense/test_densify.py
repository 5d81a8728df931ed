"""Depth from images of planes whose depth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.io.images import read_colours, write_image
from s3d_splat.io.observations import load_confidence, load_depth, load_observation
from s3d_splat.priors.geometry.dense.densify import densify
from s3d_splat.priors.geometry.options import DenseOptions
from s3d_splat.types import PosedCluster
from tests.priors.dense.surfaces import COUNT, HEIGHT, WIDTH, Plane, posed, true_depth

OPTIONS = DenseOptions(threads=1)
WALL = (Plane(2.5),)
SLANTED = (Plane(2.5, slope=0.6),)
STEP = (Plane(3.0), Plane(2.2, span=(-0.35, 0.35)))


def found(cluster: PosedCluster, index: int) -> tuple[np.ndarray, np.ndarray]:
    depth, confidence = load_depth(cluster.frames[index]), load_confidence(cluster.frames[index])
    assert depth is not None
    assert confidence is not None
    return depth.numpy(), confidence.numpy()


def errors(depth: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.abs(depth / true - 1)[depth > 0]


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> PosedCluster:
    folder = tmp_path_factory.mktemp("wall")
    return densify(posed(folder, WALL), folder / "work", load_observation, write_image, OPTIONS)


def test_a_wall(wall: PosedCluster) -> None:
    for index in range(COUNT):
        depth, confidence = found(wall, index)
        error = errors(depth, true_depth(index, WALL))
        assert (depth > 0).mean() > 0.85
        assert np.median(error) < 0.002
        assert (error < 0.01).mean() > 0.98
        assert np.array_equal(confidence > 0, depth > 0)


def test_a_slanted_wall(tmp_path: Path) -> None:
    cluster = densify(posed(tmp_path, SLANTED), tmp_path / "work", load_observation, write_image, OPTIONS)
    depth, _ = found(cluster, 2)
    error = errors(depth, true_depth(2, SLANTED))
    assert (depth > 0).mean() > 0.8
    assert np.median(error) < 0.003
    assert (error < 0.02).mean() > 0.95


def test_what_is_hidden_in_some_views_is_found_from_the_others(tmp_path: Path) -> None:
    cluster = densify(posed(tmp_path, STEP), tmp_path / "work", load_observation, write_image, OPTIONS)
    for index in (1, 2, 3):
        depth, _ = found(cluster, index)
        error = errors(depth, true_depth(index, STEP))
        assert (depth > 0).mean() > 0.75
        assert (error < 0.02).mean() > 0.9


def test_without_texture_there_is_no_depth(tmp_path: Path) -> None:
    bare = (Plane(2.5, is_textured=False),)
    cluster = densify(posed(tmp_path, bare), tmp_path / "work", load_observation, write_image, OPTIONS)
    depth, confidence = found(cluster, 2)
    assert not depth.any()
    assert not confidence.any()


def test_depth_is_in_the_unit_of_the_poses(tmp_path: Path, wall: PosedCluster) -> None:
    cluster = densify(posed(tmp_path, WALL, scale=32.0), tmp_path / "work", load_observation, write_image, OPTIONS)
    small, large = found(wall, 3)[0], found(cluster, 3)[0]
    both = (small > 0) & (large > 0)
    assert both.mean() > 0.85
    np.testing.assert_allclose(large[both], 32 * small[both], rtol=1e-4)


def test_sure_where_many_views_agree(wall: PosedCluster) -> None:
    """The middle of a middle view is seen by all five others, more than the four that make it sure."""
    _, confidence = found(wall, 2)
    middle = confidence[HEIGHT // 3 : -HEIGHT // 3, WIDTH // 3 : -WIDTH // 3]
    assert (middle == 1).mean() > 0.95


def test_the_files_have_the_names_of_the_images_and_nothing_else_stays(wall: PosedCluster) -> None:
    frame = wall.frames[0]
    assert frame.depth_path is not None
    assert frame.confidence_path is not None
    assert frame.depth_path.name == frame.confidence_path.name == "0.png.png"
    folder = frame.depth_path.parent.parent
    assert sorted(path.name for path in folder.iterdir()) == ["confidence", "depth"]


def test_points_and_sparse_depths_stay(wall: PosedCluster) -> None:
    assert wall.points is not None
    assert wall.sparse is not None
    assert len(wall.sparse) == COUNT


def test_nothing_comes_from_test_frames(tmp_path: Path) -> None:
    """Whatever a test frame shows, the others' depth is the same; it gets a depth itself."""
    done = []
    for name in ("clean", "noise"):
        cluster = posed(tmp_path / name, WALL, test=(3,))
        if name == "noise":
            noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            write_image(tmp_path / name / "3.png", noise)
        done.append(densify(cluster, tmp_path / name / "work", load_observation, write_image, OPTIONS))
    for index in range(COUNT):
        clean, spoilt = (found(cluster, index)[0] for cluster in done)
        assert np.array_equal(clean, spoilt) == (index != 3)
    assert (found(done[0], 3)[0] > 0).mean() > 0.8


def test_a_frame_with_one_neighbour_gets_no_depth(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cluster = posed(tmp_path, WALL)
    assert cluster.sparse is not None
    two = replace(cluster, frames=cluster.frames[:2], sparse=cluster.sparse[:2])
    done = densify(two, tmp_path / "work", load_observation, write_image, OPTIONS)
    assert done == two
    assert "2 of 2 images have too few neighbours: images/0.png, images/1.png" in caplog.text


def test_masked_pixels_have_no_depth_and_are_looked_up_nowhere(tmp_path: Path) -> None:
    cluster = posed(tmp_path, WALL)
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[HEIGHT // 2 :] = 0
    write_image(tmp_path / "mask.png", mask)
    frames = tuple(replace(frame, mask_path=tmp_path / "mask.png") for frame in cluster.frames)
    for frame in frames:
        spoilt = read_colours(frame.image_path, where="test").copy()
        spoilt[HEIGHT // 2 :] = 90
        write_image(frame.image_path, spoilt)
    done = densify(replace(cluster, frames=frames), tmp_path / "work", load_observation, write_image, OPTIONS)
    depth, confidence = found(done, 2)
    assert not confidence[HEIGHT // 2 :].any()
    upper = depth[: HEIGHT // 2 - 4]
    assert (upper > 0).mean() > 0.8
    assert np.median(errors(upper, true_depth(2, WALL)[: HEIGHT // 2 - 4])) < 0.003


def test_progress_runs_to_its_end(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    cluster = posed(tmp_path, WALL)
    densify(
        cluster, tmp_path / "work", load_observation, write_image, OPTIONS, lambda done, total: steps.append((done, total))
    )
    assert steps == [(done, 2 * COUNT) for done in range(1, 2 * COUNT + 1)]


def test_two_threads_find_the_same(tmp_path: Path, wall: PosedCluster) -> None:
    cluster = densify(posed(tmp_path, WALL), tmp_path / "work", load_observation, write_image, replace(OPTIONS, threads=2))
    for index in range(COUNT):
        assert np.array_equal(found(cluster, index)[0], found(wall, index)[0])
