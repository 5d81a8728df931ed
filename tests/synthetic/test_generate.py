"""Whole folders: readable, deterministic, with faults only in what is given for training."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial import cKDTree

from s3d_splat.errors import S3DError
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of, load_scene
from s3d_splat.synthetic.capture import Gauge, cluster_ranges, confidence, draw_gauge
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions, parse_fault
from tests.synthetic.conftest import SMALL, few_points


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


@pytest.fixture(scope="module", autouse=True)
def sparse_points() -> Iterator[None]:
    """Every folder of this file holds as few points as the small scene."""
    with few_points():
        yield


@pytest.fixture(scope="module")
def faulty_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small scene with faults of masks alone."""
    folder = tmp_path_factory.mktemp("faulty") / "scene"
    faults = tuple(parse_fault(text) for text in ("renumber=frame", "missing=0.5"))
    write_scene(folder, SynthOptions(SMALL.kind, SMALL.frames, SMALL.width, SMALL.height, faults=faults))
    return folder


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of two clusters, each in its own gauge."""
    folder = tmp_path_factory.mktemp("capture") / "capture"
    write_scene(folder, SynthOptions("capture", 54, 48, 36, faults=(("gauge", 1.0),)))
    return folder


def test_the_scene_can_be_read_and_every_eighth_frame_is_a_test_frame(small_scene: Path) -> None:
    scene = load_scene(small_scene)
    assert [frame.split for frame in scene.frames].count("test") == 3
    assert [k for k, frame in enumerate(scene.frames) if frame.split == "test"] == [4, 12, 20]
    assert scene.proxy.instances is None
    assert all(row.class_id and row.name for row in scene.instances)
    camera = scene.frames[0].camera
    assert (camera.fx, camera.width, camera.height) == (0.85 * 80, 80, 60)


def test_without_faults_what_is_given_is_the_truth(small_scene: Path) -> None:
    files = _files(small_scene)
    for layer in ("depth", "instances", "semantics"):
        names = [name for name in files if name.startswith(f"{layer}/")]
        assert len(names) == SMALL.frames
        assert all(files[name] == files[f"truth/{name}"] for name in names)
    given, truth = (json.loads(files[f"{prefix}transforms.json"])["frames"] for prefix in ("", "truth/"))
    assert [row["transform_matrix"] for row in given] == [row["transform_matrix"] for row in truth]


def test_true_points_lie_on_the_depth_of_a_training_frame_that_sees_them(small_scene: Path) -> None:
    scene, points = load_scene(small_scene), np.load(small_scene / "truth" / "points.npz")
    seen = np.zeros(len(points["xyz"]), dtype=bool)
    for frame in frames_of(scene, "train"):
        observation, camera = load_observation(frame), frame.camera
        pose = camera.T_world_camera.double().numpy()
        local = (points["xyz"] - pose[:3, 3]) @ pose[:3, :3]
        z = np.maximum(local[:, 2], 1e-6)
        column, row = (local[:, 0] / z * camera.fx + camera.cx), (local[:, 1] / z * camera.fy + camera.cy)
        inside = (local[:, 2] > 0.05) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
        chosen = np.flatnonzero(inside)
        assert observation.depth is not None
        depth = observation.depth.numpy()[row[chosen].astype(int), column[chosen].astype(int)]
        seen[chosen[local[chosen, 2] < depth * 1.1 + 0.06]] = True
    assert seen.all()
    assert set(points.files) == {"xyz", "instance", "semantic"}
    classes = {row.id: row.class_id for row in scene.instances}
    assert all(classes[int(k)] == points["semantic"][points["instance"] == k][0] for k in np.unique(points["instance"]))


def test_the_proxy_lies_near_the_surfaces(small_scene: Path) -> None:
    proxy, points = load_scene(small_scene).proxy, np.load(small_scene / "truth" / "points.npz")
    distance = cKDTree(points["xyz"]).query(proxy.points.numpy())[0]
    assert np.median(distance) < 0.025
    assert (distance > 0.08).mean() < 0.03


def test_the_same_seed_gives_the_same_bytes_and_faults_of_masks_change_masks_alone(
    small_scene: Path, faulty_scene: Path
) -> None:
    clean, faulty = _files(small_scene), _files(faulty_scene)
    masks = {name for name in clean if name.startswith(("instances", "semantics/"))}
    for name in set(clean) - masks - {"transforms.json"}:
        assert clean[name] == faulty[name], name
    given, expected = (json.loads(files["transforms.json"]) for files in (faulty, clean))
    assert [row["transform_matrix"] for row in given["frames"]] == [row["transform_matrix"] for row in expected["frames"]]
    assert sum("instance_file_path" not in row for row in given["frames"]) == SMALL.frames // 4
    assert len([name for name in faulty if name.startswith("instances/")]) == SMALL.frames - SMALL.frames // 4
    load_scene(faulty_scene)


def test_renumbered_masks_cover_the_same_regions(small_scene: Path, faulty_scene: Path) -> None:
    for path in (faulty_scene / "instances").iterdir():
        given, true = _pixels(path), _pixels(small_scene / "instances" / path.name)
        pairs = np.unique(np.stack([given.ravel(), true.ravel()], 1), axis=0)
        assert len(pairs) == len(np.unique(given)) == len(np.unique(true))


def test_an_occupied_folder_is_refused_and_only_an_earlier_scene_replaced(small_scene: Path, tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="exists already"):
        write_scene(small_scene, SMALL)
    (tmp_path / "notes.txt").write_text("mine")
    for options in (SMALL, SynthOptions("capture", 8, 48, 36)):
        with pytest.raises(S3DError, match="exists already and is no"):
            write_scene(tmp_path, options, replace=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for kind in ("scene", "capture"):
        with pytest.raises(KeyboardInterrupt):
            write_scene(tmp_path / "room", SynthOptions(kind, 8, 32, 32), stop)
    assert list(tmp_path.iterdir()) == []


def test_clusters_cover_all_frames_and_overlap() -> None:
    assert cluster_ranges(150) == (range(0, 50), range(33, 83), range(67, 117), range(100, 150))
    assert cluster_ranges(50) == (range(0, 50),)
    for first, second in zip(cluster_ranges(431)[:-1], cluster_ranges(431)[1:], strict=True):
        assert len(set(first) & set(second)) >= 10


def test_a_gauge_is_a_similarity_that_grows_with_its_level() -> None:
    gauges = [draw_gauge(1.0, np.random.default_rng(seed)) for seed in range(40)]
    assert all(0.5 <= gauge.scale <= 2.0 for gauge in gauges)
    assert all(np.linalg.norm(gauge.shift) == pytest.approx(5.0) for gauge in gauges)
    neutral = draw_gauge(0.0, np.random.default_rng(0))
    np.testing.assert_allclose(neutral.moved(np.eye(4)), np.eye(4), atol=1e-12)
    pose = Gauge(2.0, np.eye(3), np.array([1.0, 0, 0])).moved(
        np.array([[1, 0, 0, 3], [0, 1, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    )
    np.testing.assert_allclose(pose[:3, 3], [7, 8, 10])
    np.testing.assert_allclose(pose[:3, :3], np.eye(3))


def test_confidence_falls_at_steps_of_depth() -> None:
    depth = np.full((10, 10), 2.0, dtype=np.float32)
    depth[:, 5:], depth[0] = 4.0, 0.0
    trust = confidence(depth)
    assert trust[5, 0] == 255
    assert trust[5, 5] < 30
    assert not trust[0].any()


def test_clusters_show_the_truth_in_their_own_gauge(capture: Path) -> None:
    truth = json.loads((capture / "truth" / "transforms.json").read_text())
    true_pose = {row["file_path"]: np.array(row["transform_matrix"]) for row in truth["frames"]}
    assert sorted(path.name for path in (capture / "clusters").iterdir()) == ["0", "1"]
    assert len(list((capture / "images").iterdir())) == 54
    scales = []
    for cluster in (capture / "clusters").iterdir():
        meta = json.loads((cluster / "transforms.json").read_text())
        rows = meta["frames"]
        a, b = (np.array(rows[k]["transform_matrix"]) for k in (0, 30))
        c, d = (true_pose[rows[k]["file_path"]] for k in (0, 30))
        scale = np.linalg.norm(a[:3, 3] - b[:3, 3]) / np.linalg.norm(c[:3, 3] - d[:3, 3])
        np.testing.assert_allclose(a[:3, :3].T @ b[:3, :3], c[:3, :3].T @ d[:3, :3], atol=1e-9)
        name = Path(rows[0]["file_path"]).name
        given = _pixels(cluster / "depth" / name) * meta["depth_scale"] / scale
        np.testing.assert_allclose(given, _pixels(capture / "truth" / "depth" / name) / 1000, atol=1e-6)
        ids = {row["id"] for row in json.loads((cluster / "instances.json").read_text())}
        assert set(np.unique(_pixels(cluster / "instances" / name))) <= ids | {0}
        scales.append(scale)
    assert abs(scales[0] - scales[1]) > 1e-3


def test_ids_of_two_clusters_do_not_agree(capture: Path) -> None:
    name = f"{30:05d}.png"
    one, other = (_pixels(capture / "clusters" / k / "instances" / name) for k in "01")
    assert (one != other).mean() > 0.5
    assert len(np.unique(one)) == len(np.unique(other))


def test_a_capture_of_noisy_depth_leaves_the_truth_alone(small_scene: Path, tmp_path: Path) -> None:
    faults = tuple(parse_fault(text) for text in ("depth-noise", "pose-noise", "drift"))
    write_scene(tmp_path / "noisy", SynthOptions(SMALL.kind, SMALL.frames, SMALL.width, SMALL.height, faults=faults))
    clean, noisy = _files(small_scene), _files(tmp_path / "noisy")
    same = ("truth/", "images/", "instances", "semantics/", "classes.json")
    for name in clean:
        if name.startswith(same):
            assert clean[name] == noisy[name], name
        else:
            assert clean[name] != noisy[name], name
    holes = load_observation(load_scene(tmp_path / "noisy").frames[0]).depth
    assert holes is not None
    assert float((holes == 0).to(torch.float32).mean()) == pytest.approx(0.05, abs=0.02)
