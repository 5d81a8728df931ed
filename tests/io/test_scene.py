"""What a scene folder reads as, and which departures from ours are accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of, frames_without_masks, load_scene
from s3d_splat.io.scene_writer import SceneWriter
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Lens, Scene
from tests.io.test_scene_refusals import forget_lists, forget_lists_and_splits, in_frame, in_pose, in_transforms, removed
from tests.scene_fixtures import CLASSES, FRAMES, INSTANCES, tiny_camera, tiny_observation, write_tiny_scene


def splits(scene: Scene) -> list[str]:
    return [frame.split for frame in scene.frames]


def test_the_tiny_scene_comes_back(scene_folder: Path) -> None:
    scene = load_scene(scene_folder)
    assert scene.root == scene_folder
    assert scene.classes == CLASSES
    assert scene.instances == INSTANCES
    assert splits(scene) == ["train", "train", "train", "test", "train", "train"]
    assert frames_without_masks(scene) == 0
    assert scene.proxy.points.shape == (5 * 24 * 32, 3)
    for index, frame in enumerate(scene.frames):
        expected = tiny_camera(index)
        assert torch.equal(frame.camera.T_world_camera, expected.T_world_camera)
        camera, pixels, seen = frame.camera, load_observation(frame), tiny_observation(expected)
        assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height) == (28, 28, 16, 12, 32, 24)
        assert torch.equal(pixels.image, seen.image)
        assert pixels.instances is not None
        assert pixels.semantics is not None
        assert torch.equal(pixels.instances, seen.instances)
        assert torch.equal(pixels.semantics, seen.semantics)
        torch.testing.assert_close(pixels.depth, seen.depth, atol=0.0005, rtol=0)


def test_frames_of_a_split(scene_folder: Path) -> None:
    scene = load_scene(scene_folder)
    assert [frame.file_path for frame in frames_of(scene, "test")] == ["images/0003.png"]
    assert len(frames_of(scene, "train")) == FRAMES - 1


def test_split_of_the_frames_alone(scene_folder: Path) -> None:
    in_transforms(forget_lists)(scene_folder)
    assert splits(load_scene(scene_folder))[3] == "test"


def test_split_of_the_lists_alone(scene_folder: Path) -> None:
    in_transforms(lambda meta: [frame.pop("split") for frame in meta["frames"]])(scene_folder)
    assert splits(load_scene(scene_folder))[3] == "test"


def test_without_any_split_every_eighth_frame_tests(tmp_path: Path) -> None:
    folder = write_tiny_scene(tmp_path / "scene", frames=14)
    in_transforms(forget_lists_and_splits)(folder)
    assert [index for index, split in enumerate(splits(load_scene(folder))) if split == "test"] == [4, 12]


def test_validation_frames_count_as_test_frames(scene_folder: Path) -> None:
    def rename(meta: dict[str, Any]) -> None:
        meta["frames"][3]["split"] = "val"
        meta["test_filenames"] = []

    in_transforms(rename)(scene_folder)
    assert splits(load_scene(scene_folder))[3] == "test"


def test_a_frame_may_have_its_own_intrinsics(scene_folder: Path) -> None:
    in_frame(2, fl_x=31.5, cy=11.0)(scene_folder)
    cameras = [frame.camera for frame in load_scene(scene_folder).frames]
    assert (cameras[2].fx, cameras[2].fy, cameras[2].cy) == (31.5, 28.0, 11.0)
    assert (cameras[1].fx, cameras[1].cy) == (28.0, 12.0)


def test_frames_without_masks_are_counted(scene_folder: Path) -> None:
    in_transforms(lambda meta: [meta["frames"][index].pop("instance_file_path") for index in (1, 3, 4)])(scene_folder)
    scene = load_scene(scene_folder)
    assert frames_without_masks(scene) == 2
    assert frames_without_masks(scene, "test") == 1
    assert load_observation(scene.frames[1]).instances is None


def test_classes_follow_from_the_instances(scene_folder: Path) -> None:
    removed("classes.json")(scene_folder)
    assert load_scene(scene_folder).classes == CLASSES


def test_a_scene_without_labels(scene_folder: Path) -> None:
    def forget(meta: dict[str, Any]) -> None:
        for frame in meta["frames"]:
            for key in ("depth_file_path", "instance_file_path", "semantic_file_path"):
                del frame[key]

    in_transforms(forget)(scene_folder)
    removed("instances.json")(scene_folder)
    removed("classes.json")(scene_folder)
    scene = load_scene(scene_folder)
    assert (scene.classes, scene.instances) == ((), ())
    assert load_observation(scene.frames[0]).depth is None


def test_depth_in_other_units(scene_folder: Path) -> None:
    in_transforms(lambda meta: meta.update(depth_unit_scale_factor=0.0002))(scene_folder)
    depth = load_observation(load_scene(scene_folder).frames[0]).depth
    assert depth is not None
    assert depth.max().item() == pytest.approx(3000 * 0.0002)


def test_a_slightly_rounded_rotation_is_made_exact(scene_folder: Path) -> None:
    in_pose(2, lambda pose: pose + 3e-5 * np.eye(4)[[1, 0, 2, 3]] * [[1, 1, 0, 0]] * [[1], [1], [0], [0]])(scene_folder)
    rotation = load_scene(scene_folder).frames[2].camera.T_world_camera[:3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("file_path", "name"),
    [("images/0001.png", "0001"), ("./images/a.b.jpg", "a.b"), ("images/left/01.jpg", "left_01"), ("01.jpg", "01")],
)
def test_frame_names(file_path: str, name: str) -> None:
    assert frame_name(file_path) == name


def test_a_distorted_scene_is_undistorted(tmp_path: Path) -> None:
    lens = Lens(28.0, 28.0, 16.0, 12.0, k1=-0.4, k2=0.1, p1=0.001, p2=0.0)
    with SceneWriter(tmp_path / "scene") as writer:
        camera = tiny_camera(0)
        writer.add_frame("0.png", camera, "train", tiny_observation(camera), lens=lens)
        proxy = load_scene(write_tiny_scene(tmp_path / "plain")).proxy
        writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    frame = load_scene(tmp_path / "scene").frames[0]
    assert frame.lens == lens
    assert frame.camera.fx != 28.0
    pixels, stored = load_observation(frame), tiny_observation(camera)
    assert pixels.image.shape == (24, 32, 3)
    assert pixels.instances is not None
    assert not torch.equal(pixels.instances, stored.instances)
    assert set(pixels.instances.unique().tolist()) <= {1, 2, 3}
    assert pixels.depth is not None
    assert set((pixels.depth * 10).round().int().unique().tolist()) <= {20, 24, 30}


def test_a_file_that_changes_after_the_check(scene_folder: Path) -> None:
    scene = load_scene(scene_folder)
    scene.frames[2].image_path.unlink()
    with pytest.raises(S3DError, match=r"images/0002.png.*cannot be read"):
        load_observation(scene.frames[2])


@pytest.mark.data
def test_the_real_kitchen_loads(real_data: Path) -> None:
    scene = load_scene(real_data / "kitchen_scene")
    assert len(scene.frames) == 150
    assert len(frames_of(scene, "test")) == 19
    assert len(scene.instances) == 62
    assert len(scene.classes) == 32
    assert scene.proxy.points.shape == (64106, 3)


@pytest.mark.data
def test_images_that_are_missing_are_named(real_data: Path) -> None:
    listed = json.loads((real_data / "fox/transforms.json").read_text())["frames"]
    missing = sum(not (real_data / "fox" / row["file_path"]).is_file() for row in listed)
    with pytest.raises(S3DError, match=f"does not exist .nor do {missing - 1} other files"):
        load_scene(real_data / "fox")
