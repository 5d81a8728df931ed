"""Depth Anything 3: what is made of its predictions, and the package's own network with random weights."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import project, unproject_depth
from s3d_splat.io.observations import load_observation
from s3d_splat.priors.geometry import depth_anything3
from s3d_splat.priors.geometry.depth_anything3 import DepthAnything3Geometry
from s3d_splat.priors.geometry.learned import depth_anything
from s3d_splat.priors.geometry.learned.prediction import Fit, Prediction, fits
from s3d_splat.priors.geometry.options import DepthAnything3Options
from s3d_splat.types import Capture, CaptureCluster, PosedCluster
from tests.priors.oracle import UNIT, truth
from tests.priors.relief import (
    BLOCK,
    COUNT,
    FOCAL,
    HEIGHT,
    LENS,
    WALL,
    WIDTH,
    relief_capture,
    true_depth,
    true_pose,
    without,
)

SMALL = DepthAnything3Options(image_size=112, drop=0.0)


def posed(capture: Capture, work: Path, patch: pytest.MonkeyPatch, options: DepthAnything3Options = SMALL) -> PosedCluster:
    patch.setattr(depth_anything3, "find_network", lambda options, accepted: (Path(), ""))
    patch.setattr(depth_anything3, "load_network", lambda folder, name: truth)
    return DepthAnything3Geometry(options).pose(capture.clusters[0], work, load_observation)


def test_sides_are_multiples_of_the_patch_and_the_middle_remains():
    assert fits([(640, 480)], 504, 14) == ([Fit(504, 378, 0, 0)], (504, 378))
    assert fits([(1920, 1080)], 504, 14) == ([Fit(504, 280, 0, 0)], (504, 280))  # 283.5 is 20.25 patches
    assert fits([(640, 480), (480, 640)], 504, 14) == ([Fit(504, 378, 63, 0), Fit(378, 504, 0, 63)], (378, 378))
    assert fits([(1000, 10)], 504, 14) == ([Fit(504, 14, 0, 0)], (504, 14))


def test_values_and_cameras_go_back_to_the_image():
    way = Fit(width=4, height=2, left=1, top=0)
    assert way.whole(np.float32([[5, 6]])).tolist() == [[0, 5, 6, 0], [0, 0, 0, 0]]
    camera = way.camera(np.array([[10.0, 0, 1], [0, 12, 1], [0, 0, 1]]), 40, 10)
    assert camera == (100.0, 60.0, 20.0, 5.0)


def test_without_depth_images_the_network_s_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its gauge is a quarter of the world; its focal lengths belong to 112 x 84 pixels."""
    found = posed(without(relief_capture(tmp_path), depth_path=None, lens=None), tmp_path / "work", monkeypatch)
    assert len(found.frames) == COUNT
    first, last = (load_observation(found.frames[index]) for index in (1, 4))
    assert first.depth is not None
    assert last.depth is not None
    assert first.confidence is not None
    torch.testing.assert_close(first.depth.median().item() / UNIT, float(np.median(true_depth(1))), rtol=0.01, atol=0)
    camera = found.frames[1].camera
    assert camera.fx == pytest.approx(FOCAL)
    assert camera.fy == pytest.approx(FOCAL)
    assert (camera.cx, camera.cy) == pytest.approx((WIDTH / 2, HEIGHT / 2))
    assert float(first.confidence[:, 0].mean()) < 0.25 < 0.95 < float(first.confidence[:, -1].mean())
    points = unproject_depth(first.depth.double(), camera).reshape(-1, 3)
    pixels, depth = project(points, found.frames[4].camera)
    column, row = pixels.floor().long().unbind(-1)
    inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    error = (last.depth[row[inside], column[inside]] / depth[inside] - 1).abs()
    assert error.median() < 0.01


def test_measured_depth_is_kept_and_gives_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    capture = relief_capture(tmp_path)
    views = [view if index % 2 else replace(view, depth_path=None) for index, view in enumerate(capture.clusters[0].views)]
    capture = replace(capture, clusters=(replace(capture.clusters[0], views=tuple(views)),))
    found = posed(capture, tmp_path / "work", monkeypatch)
    centres = torch.stack([frame.camera.T_world_camera[:3, 3] for frame in found.frames]).numpy()
    true = np.stack([true_pose(index)[:3, 3] for index in range(COUNT)])
    assert np.linalg.norm(centres[0] - centres[-1]) == pytest.approx(np.linalg.norm(true[0] - true[-1]), rel=0.01)
    assert [frame.depth_path for frame in found.frames[1::2]] == [view.depth_path for view in views[1::2]]
    written = load_observation(found.frames[0]).depth
    assert written is not None
    assert WALL * 0.9 < float(written.median()) < WALL * 1.3
    assert float(written.min()) == pytest.approx(BLOCK, rel=0.15)


def test_what_is_least_sure_gets_no_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    capture = without(relief_capture(tmp_path), depth_path=None)
    found = posed(capture, tmp_path / "work", monkeypatch, replace(SMALL, drop=0.25))
    depth = load_observation(found.frames[2]).depth
    assert depth is not None
    share = float((depth == 0).double().mean())
    assert share == pytest.approx(0.25, abs=0.02)
    assert not depth[:, :40].any()  # the oracle is less sure to the left


def test_a_known_distortion_is_undone_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bent = replace(LENS, k1=0.05)
    found = posed(without(relief_capture(tmp_path), depth_path=None, lens=bent), tmp_path / "work", monkeypatch)
    assert found.frames[0].lens == bent
    assert found.frames[0].camera.fx == pytest.approx(FOCAL)  # the network saw the undistorted image
    assert load_observation(found.frames[0]).depth is not None


def test_one_image_has_no_pose(tmp_path: Path):
    capture = relief_capture(tmp_path)
    one = replace(capture, clusters=(CaptureCluster(capture.clusters[0].views[:1]),))
    with pytest.raises(S3DError, match="cluster 0: 1 images are too few"):
        DepthAnything3Geometry(SMALL).check(one)


@cache
def tiny_folder() -> Path:
    """The smallest network of the package with random weights, named as on the hub."""
    from depth_anything_3.cfg import create_object, load_config
    from depth_anything_3.registry import MODEL_REGISTRY
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_object(load_config(MODEL_REGISTRY["da3-small"]))
    folder = Path(mkdtemp(prefix="tiny-da3-"))
    tensors = {f"model.{name}": value.contiguous().clone() for name, value in network.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_name": "da3-small"}))
    return folder


@pytest.fixture
def package() -> None:
    pytest.importorskip("omegaconf")
    pytest.importorskip("addict")
    pytest.importorskip("depth_anything_3.model.da3")


@pytest.mark.usefixtures("package")
def test_the_network_poses_a_cluster_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    capture = without(relief_capture(tmp_path), depth_path=None)
    prior = DepthAnything3Geometry(DepthAnything3Options(weights=tiny_folder(), image_size=56))
    prior.check(capture)
    made: list[weakref.ref[object]] = []

    def noting(folder: Path, name: str) -> object:
        network = depth_anything.load_network(folder, name)
        made.append(weakref.ref(network))
        return network

    monkeypatch.setattr(depth_anything3, "load_network", noting)
    found = prior.pose(capture.clusters[0], tmp_path / "work", load_observation)
    gc.collect()
    assert [reference() for reference in made] == [None]
    for frame in found.frames:
        rotation = frame.camera.T_world_camera[:3, :3]
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)
        seen = load_observation(frame)
        assert seen.depth is not None
        assert seen.confidence is not None
        assert seen.depth.shape == (HEIGHT, WIDTH)
        assert float((seen.depth > 0).double().mean()) > 0.5


@pytest.mark.usefixtures("package")
def test_the_prediction_is_the_network_s_and_it_is_quiet(capsys: pytest.CaptureFixture[str]):
    depth_anything.find_network(DepthAnything3Options(weights=tiny_folder()), ())
    capsys.readouterr()
    network = depth_anything.load_network(tiny_folder(), "da3-small")
    images = np.random.default_rng(0).normal(size=(3, 3, 42, 56)).astype(np.float32)
    said = network(images)
    assert capsys.readouterr().out == ""
    assert isinstance(said, Prediction)
    with torch.no_grad():
        plain = network._network(torch.from_numpy(images)[None])
    np.testing.assert_array_equal(said.depth, plain["depth"][0].numpy())
    np.testing.assert_allclose(said.T_camera_cluster[:, :3, 3], plain["extrinsics"][0, :, :3, 3].numpy())
    np.testing.assert_allclose(said.T_camera_cluster[:, :3, :3], plain["extrinsics"][0, :, :3, :3].numpy(), atol=1e-5)
    np.testing.assert_allclose(said.confidence, 1 - 1 / plain["depth_conf"][0].numpy(), atol=1e-6)


@pytest.mark.usefixtures("package")
def test_mistakes_about_weights_are_explained(tmp_path: Path):
    options = DepthAnything3Options(weights=tiny_folder())
    assert depth_anything.find_network(options, ()) == (tiny_folder(), "da3-small")
    with pytest.raises(S3DError, match=r"CC-BY-NC-4\.0"):
        depth_anything.find_network(replace(options, model="depth-anything/DA3-GIANT-1.1"), ())
    (tmp_path / "config.json").write_text(json.dumps({"model_name": "da3mono-large"}))
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(S3DError, match="holds weights of da3mono-large") as error:
        depth_anything.find_network(replace(options, weights=tmp_path), ())
    assert "da3-base" in error.value.why
    with pytest.raises(S3DError, match="cannot be read as weights of da3-small"):
        depth_anything.load_network(tmp_path, "da3-small")
    with pytest.raises(S3DError, match="cannot be read as weights of da3-base"):
        depth_anything.load_network(tiny_folder(), "da3-base")


def test_without_the_package_the_user_learns_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "depth_anything_3.model.da3", None)
    with pytest.raises(S3DError, match=r"needs the package depth_anything_3\.model\.da3") as error:
        depth_anything.find_network(SMALL, ())
    assert "pip install --no-deps depth-anything-3" in error.value.fix
