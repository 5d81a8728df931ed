"""Writing a scene folder: what nerfstudio needs to see, and that nothing half-written is left."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.scene import load_scene
from s3d_splat.io.scene_writer import SceneWriter
from tests.scene_fixtures import (
    CLASSES,
    INSTANCES,
    tiny_camera,
    tiny_observation,
    write_tiny_scene,
)


def test_transforms_say_what_nerfstudio_reads(scene_folder: Path) -> None:
    meta = json.loads((scene_folder / "transforms.json").read_text())
    assert (meta["fl_x"], meta["w"], meta["h"], meta["k1"]) == (28, 32, 24, 0)
    assert meta["ply_file_path"] == "proxy.ply"
    assert meta["test_filenames"] == meta["val_filenames"] == ["images/0003.png"]
    assert len(meta["train_filenames"]) == 5
    assert [frame["split"] for frame in meta["frames"]].count("test") == 1
    # frame 0 stands at x = -0.25 and looks along +z: in OpenGL axes y and z of the camera are turned around
    assert meta["frames"][0]["transform_matrix"] == [[1, 0, 0, -0.25], [0, -1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]


def test_pixels_are_16_bit_and_millimetres(scene_folder: Path) -> None:
    for kind, values in (("depth", {2000, 2400, 3000}), ("instances", {1, 2, 3}), ("semantics", {1, 5})):
        pixels = np.array(Image.open(scene_folder / kind / "0002.png"))
        assert Image.open(scene_folder / kind / "0002.png").mode.startswith("I;16")
        assert set(np.unique(pixels)) == values


def test_different_intrinsics_stand_in_the_frames_alone(tmp_path: Path) -> None:
    proxy = load_scene(write_tiny_scene(tmp_path / "other")).proxy
    with SceneWriter(tmp_path / "scene") as writer:
        for index, focal in enumerate((28.0, 30.0)):
            camera = replace(tiny_camera(index), fx=focal)
            writer.add_frame(f"{index}.png", camera, "train", tiny_observation(camera))
        writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    meta = json.loads((tmp_path / "scene/transforms.json").read_text())
    assert "fl_x" not in meta  # nerfstudio would take it for every frame
    assert [frame["fl_x"] for frame in meta["frames"]] == [28.0, 30.0]
    assert [frame.camera.fx for frame in load_scene(tmp_path / "scene").frames] == [28.0, 30.0]


def test_truth_lies_apart(tmp_path: Path) -> None:
    truth = write_tiny_scene(tmp_path / "scene", truth=True) / "truth"
    meta = json.loads((truth / "transforms.json").read_text())
    assert meta["frames"][0]["file_path"] == "images/0000.png"
    assert "split" not in meta["frames"][0]
    assert len(json.loads((truth / "classes.json").read_text())) == 2
    with np.load(truth / "points.npz", allow_pickle=False) as points:
        assert {name: points[name].dtype.str for name in points.files} == {
            "xyz": "<f4",
            "instance": "<i4",
            "semantic": "<i4",
        }
        assert points["xyz"].shape == (5 * 32 * 24, 3)
    for kind in ("instances", "semantics", "depth"):
        assert len(list((truth / kind).glob("*.png"))) == 6


def test_depth_that_16_bits_cannot_say_is_none(tmp_path: Path) -> None:
    camera = tiny_camera(0)
    depth = torch.full((24, 32), 1.0)
    depth[0, :4] = torch.tensor([70.0, -1.0, float("nan"), 65.535])
    with SceneWriter(tmp_path / "scene") as writer:
        writer.add_frame("0.png", camera, "train", replace(tiny_observation(camera), depth=depth))
        writer.finish(proxy=load_scene(write_tiny_scene(tmp_path / "o")).proxy, classes=CLASSES, instances=INSTANCES)
    assert np.array(Image.open(tmp_path / "scene/depth/0.png"))[0, :5].tolist() == [0, 0, 0, 65535, 1000]


class StopError(Exception):
    """What a test raises in the middle of the writing."""


def write_half(folder: Path, *, fail: bool) -> None:
    with SceneWriter(folder) as writer:
        writer.add_frame("0.png", tiny_camera(0), "train", tiny_observation(tiny_camera(0)))
        if fail:
            raise StopError


def test_nothing_is_left_without_finish(tmp_path: Path) -> None:
    write_half(tmp_path / "scene", fail=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StopError):
        write_half(tmp_path / "scene", fail=True)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept(scene_folder: Path) -> None:
    with pytest.raises(S3DError, match="exists already"):
        SceneWriter(scene_folder)
    assert load_scene(scene_folder)


def test_a_scene_is_replaced_on_demand(scene_folder: Path) -> None:
    proxy = load_scene(scene_folder).proxy
    with SceneWriter(scene_folder, replace=True) as writer:
        writer.add_frame("9.png", tiny_camera(0), "train", tiny_observation(tiny_camera(0)))
        assert load_scene(scene_folder).frames[0].file_path == "images/0000.png"
        writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    assert [frame.file_path for frame in load_scene(scene_folder).frames] == ["images/9.png"]
    assert [path.name for path in scene_folder.parent.iterdir()] == ["scene"]


def test_a_scene_that_cannot_be_replaced_is_kept(scene_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, rename = load_scene(scene_folder).proxy, os.replace

    def refuse_the_new_one(source: Path, target: Path) -> None:
        if Path(target) == scene_folder and not Path(source).name.endswith("-old"):
            raise OSError(errno.EACCES, "Permission denied")
        rename(source, target)

    with SceneWriter(scene_folder, replace=True) as writer:
        writer.add_frame("9.png", tiny_camera(0), "train", tiny_observation(tiny_camera(0)))
        monkeypatch.setattr(os, "replace", refuse_the_new_one)
        with pytest.raises(S3DError, match="cannot write"):
            writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    assert load_scene(scene_folder).frames[0].file_path == "images/0000.png"
    assert [path.name for path in scene_folder.parent.iterdir()] == ["scene"]


def test_truth_behind_links_is_taken_along(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/0.png").write_bytes(b"1")
    (tmp_path / "capture/truth").mkdir(parents=True)
    (tmp_path / "capture/truth/instances").symlink_to("../../kept")
    (tmp_path / "capture/truth/points.npz").symlink_to("../../kept/0.png")
    proxy = load_scene(write_tiny_scene(tmp_path / "other")).proxy
    with SceneWriter(tmp_path / "deep/down/scene") as writer:
        writer.add_truth_folder(tmp_path / "capture/truth")
        writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    truth = tmp_path / "deep/down/scene/truth"
    assert (truth / "instances/0.png").read_bytes() == (truth / "points.npz").read_bytes() == b"1"


def test_another_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"")
    with pytest.raises(S3DError, match="exists already and is no scene folder"):
        SceneWriter(tmp_path / "photos", replace=True)
