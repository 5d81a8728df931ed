"""`s3d-splat prepare` on posed images without depth: depth is found, and what stands in the way is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.cli import main
from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.io.observations import load_depth
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare import cluster_stages
from tests.priors.relief import BLOCK, LENS, WALL, relief_capture, without

FLAGS = ("--dense.threads", "1", "--colmap.max-features", "600", "--masks", "felzenszwalb", "--test-every", "0")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nerfstudio data set: images and transforms.json."""
    folder = tmp_path_factory.mktemp("dense") / "capture"
    views = without(relief_capture(folder), depth_path=None).clusters[0].views
    frames = []
    for view in views:
        assert view.T_cluster_camera is not None
        pose = opengl_from_opencv(view.T_cluster_camera).tolist()
        frames.append({"file_path": f"images/{view.name}", "transform_matrix": pose})
    camera = {"fl_x": LENS.fx, "fl_y": LENS.fy, "cx": LENS.cx, "cy": LENS.cy, "w": views[0].width, "h": views[0].height}
    (folder / "transforms.json").write_text(json.dumps(camera | {"frames": frames}))
    return folder


def test_posed_images_get_depth(capture: Path) -> None:
    pytest.importorskip("pycolmap")
    main(["prepare", str(capture), str(capture.parent / "scene"), *FLAGS])
    scene = load_scene(capture.parent / "scene")
    assert all(frame.depth_path is not None for frame in scene.frames)
    middle = load_depth(scene.frames[3])
    assert middle is not None
    depth = middle.numpy()
    assert (depth > 0).mean() > 0.7
    off = np.minimum(np.abs(depth / WALL - 1), np.abs(depth / BLOCK - 1))[depth > 0]
    assert np.median(off) < 0.02
    z = scene.proxy.points[:, 2].numpy()
    assert len(z) > 1000
    assert np.median(np.minimum(np.abs(z - WALL), np.abs(z - BLOCK))) < 0.03


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["prepare", *map(str, words)])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_poses_far_from_metres_get_points_alone(capture: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost to the millimetres of depth images: the scene is made from the points."""
    pytest.importorskip("pycolmap")
    large = shutil.copytree(capture, capture.parent / "large")
    content = json.loads((large / "transforms.json").read_text())
    for frame in content["frames"]:
        for row in frame["transform_matrix"][:3]:
            row[3] *= 1000
    (large / "transforms.json").write_text(json.dumps(content))
    main(["prepare", str(large), str(capture.parent / "large-scene"), *FLAGS])
    assert "cluster 0 is not in metres" in caplog.text
    scene = load_scene(capture.parent / "large-scene")
    assert all(frame.depth_path is None for frame in scene.frames)
    z = scene.proxy.points[:, 2].numpy() / 1000
    assert np.median(np.minimum(np.abs(z - WALL), np.abs(z - BLOCK))) < 0.03


def test_without_the_search_poses_alone_are_not_enough(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "neither depth images nor points" in refused(capsys, capture, capture.parent / "none", "--dense.no-enabled")


def test_without_what_finds_points_poses_alone_are_not_enough(
    capture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_stages, "can_triangulate", lambda: False)
    assert "neither depth images nor points" in refused(capsys, capture, capture.parent / "none")


def test_options_out_of_range_are_refused(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["--dense.neighbours", "1"], "--dense.neighbours 1 cannot be used"),
        (["--dense.planes", "3"], "--dense.planes 3 cannot be used"),
        (["--dense.max-image-size", "8"], "--dense.max-image-size 8 cannot be used"),
    ):
        assert message in refused(capsys, capture, capture.parent / "none", *words)
