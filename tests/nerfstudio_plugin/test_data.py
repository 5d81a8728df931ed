"""The scene folder as nerfstudio's data: same world, same split, same pixels."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

from nerfstudio_plugin.cameras import from_nerfstudio
from nerfstudio_plugin.config import SceneDataManagerConfig, SplatModelConfig
from nerfstudio_plugin.dataparser_config import SceneDataParserConfig
from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of, load_scene


def manager(folder: Path):
    return SceneDataManagerConfig(data=folder).setup(device="cpu", test_mode="val")


def test_world_and_split_are_the_scenes(scene_folder: Path):
    data = manager(scene_folder)
    scene = load_scene(scene_folder)
    for dataset, split in ((data.train_dataset, "train"), (data.eval_dataset, "test")):
        frames = frames_of(scene, split)
        assert dataset.image_filenames == [frame.image_path for frame in frames]
        for index, frame in enumerate(frames):
            pose = from_nerfstudio(dataset.cameras[index : index + 1]).T_world_camera
            assert torch.equal(pose, frame.camera.T_world_camera)
    outputs = data.train_dataparser_outputs
    assert torch.equal(outputs.dataparser_transform, torch.eye(4)[:3])
    assert outputs.dataparser_scale == 1.0


def test_pixels_are_those_of_training(scene_folder: Path):
    data = manager(scene_folder)
    camera, batch = data.next_eval_image(0)
    expected = load_observation(frames_of(load_scene(scene_folder), "test")[0]).image
    assert torch.equal((batch["image"] * 255).round().to(torch.uint8), expected)
    assert camera.shape == (1,)
    assert data.get_train_rays_per_batch() == 32 * 24
    assert "cached_train" not in vars(data)


def test_distorted_images_are_undistorted_as_in_training(scene_folder: Path, tmp_path: Path):
    folder = shutil.copytree(scene_folder, tmp_path / "scene")
    transforms = json.loads((folder / "transforms.json").read_text())
    for frame in transforms["frames"]:
        frame["k1"] = 0.05
    (folder / "transforms.json").write_text(json.dumps(transforms))
    data = manager(folder)
    frame = frames_of(load_scene(folder), "train")[0]
    assert frame.lens is not None
    assert data.train_dataset.cameras.distortion_params is None
    assert float(data.train_dataset.cameras.fx[0]) == pytest.approx(frame.camera.fx)
    assert torch.equal(torch.from_numpy(data.train_dataset.get_numpy_image(0)), load_observation(frame).image)
    stored = data.train_dataparser_outputs.cameras  # what other methods get
    assert float(stored.fx[0]) == pytest.approx(frame.lens.fx)
    torch.testing.assert_close(stored.distortion_params[0], torch.tensor([0.05, 0, 0, 0, 0, 0]))


def test_images_are_scaled_with_their_cameras(scene_folder: Path):
    data = SceneDataManagerConfig(data=scene_folder, camera_res_scale_factor=0.5).setup(device="cpu", test_mode="val")
    assert data.train_dataset.get_numpy_image(0).shape == (12, 16, 3)
    assert int(data.train_dataset.cameras.width[0]) == 16


def test_mistakes_are_named(scene_folder: Path, tmp_path: Path):
    with pytest.raises(S3DError, match="no scene was given"):
        SceneDataManagerConfig().setup(device="cpu", test_mode="val")
    with pytest.raises(S3DError, match="is no folder"):
        manager(tmp_path / "nothing")
    other = SceneDataManagerConfig(data=scene_folder, dataparser=NerfstudioDataParserConfig())
    with pytest.raises(S3DError, match="another data parser"):
        other.setup(device="cpu", test_mode="val")


def test_a_scene_without_test_frames_can_be_trained(scene_folder: Path, tmp_path: Path):
    folder = shutil.copytree(scene_folder, tmp_path / "scene")
    transforms = json.loads((folder / "transforms.json").read_text())
    for frame in transforms["frames"]:
        frame["split"] = "train"
    transforms = {key: value for key, value in transforms.items() if not key.endswith("_filenames")}
    (folder / "transforms.json").write_text(json.dumps(transforms))
    data = manager(folder)
    assert (len(data.train_dataset), len(data.eval_dataset)) == (6, 0)
    assert SceneDataParserConfig(data=folder).setup().get_dataparser_outputs("test").image_filenames == []


def test_masks_are_those_of_training(scene_folder: Path, tmp_path: Path):
    folder = shutil.copytree(scene_folder, tmp_path / "scene")
    keep = torch.arange(32).expand(24, 32) >= 8
    write_image(folder / "masks" / "rig.png", (keep.numpy() * 255).astype("uint8"))
    transforms = json.loads((folder / "transforms.json").read_text())
    for frame in transforms["frames"]:
        frame["mask_path"] = "masks/rig.png"
    transforms["k1"] = 0.05
    (folder / "transforms.json").write_text(json.dumps(transforms))
    data = manager(folder)
    _, batch = data.next_eval_image(0)
    expected = load_observation(frames_of(load_scene(folder), "test")[0]).mask
    assert expected is not None
    assert torch.equal(batch["mask"][..., 0], expected)
    assert data.train_dataparser_outputs.mask_filenames == [folder / "masks" / "rig.png"] * 5  # what other methods get


def test_pixels_under_a_mask_are_not_measured():
    model = SplatModelConfig().setup(scene_box=None, num_train_data=1)
    keep = torch.arange(32).expand(24, 32)[..., None] >= 8
    truth = torch.rand(24, 32, 3)
    rendered = {"rgb": torch.where(keep, truth, 1 - truth)}
    assert model.get_image_metrics_and_images(rendered, {"image": truth})[0]["psnr"] < 20
    assert model.get_image_metrics_and_images(rendered, {"image": truth, "mask": keep})[0]["psnr"] == 100.0
    assert float(model.get_loss_dict(rendered, {"image": truth, "mask": keep})["image"]) == pytest.approx(0, abs=1e-6)
