"""What stands in the scene folder: copied images, undistorted images, depth, masks, classes, truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare.scene import REPORT, SceneContent, write_scene
from s3d_splat.types import Camera, ClassInfo, Frame, InstanceInfo, Lens, ProxyGeometry, Split
from tests.prepare.box_world import HEIGHT, WIDTH, box_camera, box_pixels

NAMES = ("a.JPG", "b.jpeg", "c.png", "left_d.png")
LENS = Lens(40.0, 40.0, WIDTH / 2, HEIGHT / 2, -0.1, 0.0, 0.0, 0.0)


def world_frame(folder: Path, index: int, *, lens: Lens | None = None) -> WorldFrame:
    """An image with depth in units of 2 mm, as one source has it."""
    camera = box_camera(index)
    colours, depth, _ = box_pixels(camera)
    image, counts = folder / "own" / f"{index}-{NAMES[index]}", folder / "own" / f"{index}-depth.png"
    image.parent.mkdir(exist_ok=True)
    Image.fromarray(colours).save(image)
    Image.fromarray((depth * 500).round().numpy().astype(np.uint16)).save(counts)
    if lens is not None:
        fx, fy, cx, cy = undistorted_intrinsics(lens, WIDTH, HEIGHT)
        camera = Camera(camera.T_world_camera, fx, fy, cx, cy, WIDTH, HEIGHT)
    split: Split = "test" if index == 2 else "train"
    frame = Frame(f"images/{NAMES[index]}", camera, split, image, counts, None, None, lens, depth_scale=0.002)
    return WorldFrame(NAMES[index], index, camera, (Source(0, frame),))


def content(folder: Path, **changes: object) -> SceneContent:
    masks = folder / "masks"
    masks.mkdir()
    for stem in ("a", "c", "left_d"):  # b has none
        Image.fromarray(np.full((HEIGHT, WIDTH), 2 if stem == "c" else 1, np.uint16)).save(masks / f"{stem}.png")
    made = SceneContent(
        frames=tuple(world_frame(folder, index, lens=LENS if index == 3 else None) for index in range(4)),
        proxy=ProxyGeometry(torch.rand(5, 3), torch.rand(5, 3), instances=torch.tensor([0, 1, 2, 1, 0], dtype=torch.int32)),
        instances=(InstanceInfo(1, 7, "chair", True, 0.9), InstanceInfo(2, 0, "", True, 0.5)),
        classes=(ClassInfo(7, "chair", True),),
        masks=masks,
        truth=None,
    )
    return replace(made, **changes)


def written(folder: Path, made: SceneContent) -> Path:
    write_scene(folder / "scene", made, "<!doctype html>", folder / "unfinished")
    assert not (folder / "unfinished").exists()
    return folder / "scene"


def test_the_scene_can_be_loaded_and_says_what_it_was_given(tmp_path: Path):
    made = content(tmp_path)
    folder = written(tmp_path, made)
    scene = load_scene(folder)
    assert [frame.file_path for frame in scene.frames] == [f"images/{name}" for name in NAMES]
    assert [frame.split for frame in scene.frames] == ["train", "train", "test", "train"]
    assert scene.instances == made.instances
    assert scene.classes == made.classes
    assert scene.proxy.instances is not None
    assert scene.proxy.instances.tolist() == [0, 1, 2, 1, 0]
    assert (folder / REPORT).read_text() == "<!doctype html>"
    for frame, original in zip(scene.frames, made.frames, strict=True):
        torch.testing.assert_close(frame.camera.T_world_camera.double(), original.camera.T_world_camera, atol=1e-6, rtol=0)


def test_images_without_distortion_are_the_same_bytes(tmp_path: Path):
    made = content(tmp_path)
    folder = written(tmp_path, made)
    for frame in made.frames[:3]:
        assert (folder / "images" / frame.name).read_bytes() == frame.sources[0].frame.image_path.read_bytes()


def test_images_that_a_reader_wrote_anew_are_of_the_type_that_their_name_says(tmp_path: Path):
    made = content(tmp_path)
    frames = [replace(frame, name=f"{Path(frame.name).stem}.jpg") for frame in made.frames]
    folder = written(tmp_path, replace(made, frames=tuple(frames)))
    for frame in frames:
        with Image.open(folder / "images" / frame.name) as image:
            assert image.format == "JPEG"


def test_distorted_images_are_undistorted(tmp_path: Path):
    made = content(tmp_path)
    scene = load_scene(written(tmp_path, made))
    assert scene.frames[3].lens is None
    expected = load_observation(made.frames[3].sources[0].frame)
    found = load_observation(scene.frames[3])
    assert torch.equal(found.image, expected.image)
    assert expected.depth is not None
    assert found.depth is not None
    torch.testing.assert_close(found.depth, expected.depth, atol=0.0006, rtol=0)


def test_masks_classes_and_depth_of_each_frame(tmp_path: Path):
    scene = load_scene(written(tmp_path, content(tmp_path)))
    first, second, third, _ = (load_observation(frame) for frame in scene.frames)
    assert first.instances is not None
    assert first.semantics is not None
    assert first.instances.unique().tolist() == [1]
    assert first.semantics.unique().tolist() == [7]
    assert second.instances is None
    assert second.semantics is None
    assert third.semantics is not None
    assert third.semantics.unique().tolist() == [0]  # nobody knows the class
    true_depth = box_pixels(box_camera(0))[1].float()
    assert first.depth is not None
    torch.testing.assert_close(first.depth, true_depth, atol=0.0016, rtol=0)  # counts of 2 mm, written in 1 mm


def test_ids_without_a_row_are_none(tmp_path: Path):
    made = content(tmp_path, instances=(InstanceInfo(1, 7, "chair", True, 0.9),))
    scene = load_scene(written(tmp_path, made))
    third = load_observation(scene.frames[2]).instances
    assert third is not None
    assert third.unique().tolist() == [0]
    assert scene.proxy.instances is not None
    assert scene.proxy.instances.tolist() == [0, 1, 0, 1, 0]


def test_without_any_class_there_are_no_semantics(tmp_path: Path):
    made = content(tmp_path, instances=(InstanceInfo(1, 0, "", True, 1.0), InstanceInfo(2, 0, "", True, 1.0)), classes=())
    folder = written(tmp_path, made)
    assert not (folder / "semantics").exists()
    assert load_scene(folder).classes == ()


def test_truth_is_taken_along_as_it_is(tmp_path: Path):
    truth = tmp_path / "truth"
    (truth / "instances").mkdir(parents=True)
    (truth / "instances" / "a.png").write_bytes(b"1")
    (truth / "transforms.json").write_text("{}")
    folder = written(tmp_path, content(tmp_path, truth=truth))
    assert (folder / "truth" / "transforms.json").read_text() == "{}"
    assert (folder / "truth" / "instances" / "a.png").samefile(truth / "instances" / "a.png")


def test_a_scene_that_exists_is_not_touched(tmp_path: Path):
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene" / "mine").write_text("mine")
    with pytest.raises(S3DError, match="exists already"):
        write_scene(tmp_path / "scene", content(tmp_path), "", tmp_path / "unfinished")
    assert [path.name for path in (tmp_path / "scene").iterdir()] == ["mine"]


def test_other_methods_can_read_the_scene(tmp_path: Path):
    parsers = pytest.importorskip("nerfstudio.data.dataparsers.nerfstudio_dataparser")
    folder = written(tmp_path, content(tmp_path))
    config = parsers.NerfstudioDataParserConfig(
        data=folder, auto_scale_poses=False, center_method="none", orientation_method="none"
    )
    train, test = (config.setup().get_dataparser_outputs(split=split) for split in ("train", "test"))
    assert [path.name for path in train.image_filenames] == ["a.JPG", "b.jpeg", "left_d.png"]
    assert [path.name for path in test.image_filenames] == ["c.png"]
    intrinsics = json.loads((folder / "transforms.json").read_text())["frames"][3]
    assert float(train.cameras.fx[2]) == pytest.approx(intrinsics["fl_x"])
