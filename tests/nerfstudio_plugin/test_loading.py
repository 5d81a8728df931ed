"""What nerfstudio's other commands do with a trained run: load it, measure it, render it."""

import dataclasses
import math
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.utils.eval_utils import eval_setup

from nerfstudio_plugin.cameras import to_nerfstudio
from nerfstudio_plugin.config import SplatModelConfig
from nerfstudio_plugin.model import SplatModel
from nerfstudio_plugin.pipeline import SplatPipeline
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import load_checkpoint
from s3d_splat.io.results import read_instances, write_instances
from tests.nerfstudio_plugin.conftest import STEPS
from tests.scene_fixtures import tiny_camera

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def loaded(trained: Path) -> SplatPipeline:
    pipeline = eval_setup(trained / "config.yml")[1]
    assert isinstance(pipeline, SplatPipeline)
    return pipeline


def copied(trained: Path, folder: Path) -> Path:
    """A copy of a run whose config.yml names the copy."""
    run = shutil.copytree(trained, folder)
    config = yaml.load((run / "config.yml").read_text(), Loader=yaml.Loader)
    pipeline = dataclasses.replace(config.pipeline, run_folder=run)
    (run / "config.yml").write_text(yaml.dump(dataclasses.replace(config, run_folder=run, pipeline=pipeline)))
    return run


def test_the_field_is_the_trained_one(trained: Path, loaded: SplatPipeline):
    state = load_checkpoint(trained / "checkpoints" / f"step-{STEPS}.pt")["session"]["field"]
    assert loaded.session is None
    assert loaded.splats.field is not None
    for name, tensor in loaded.splats.field.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_outputs(trained: Path, loaded: SplatPipeline):
    outputs = loaded.splats.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]))
    channels = {"rgb": 3, "depth": 1, "accumulation": 1, "panoptic": 3, "instances": 3, "features": 3}
    channels |= {"relevancy": 1, "instance_ids": 1, "class_ids": 1}
    assert {name: image.shape for name, image in outputs.items()} == {name: (24, 32, n) for name, n in channels.items()}
    assert all(image.dtype == torch.float32 for image in outputs.values())
    for name in ("rgb", "accumulation", "panoptic", "instances", "features"):
        assert 0 <= float(outputs[name].min()) <= float(outputs[name].max()) <= 1 + 1e-6, name
    known = {0, *read_instances(trained / "instances.npz").instance_id.tolist()}
    assert set(outputs["instance_ids"].unique().int().tolist()) <= known
    assert not outputs["relevancy"].any()  # nothing was asked
    assert loaded.splats.get_rgba_image(outputs).shape == (24, 32, 4)


def test_depth_is_along_z_in_metres(loaded: SplatPipeline):
    outputs = loaded.splats.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]))
    wall = outputs["depth"][2:6, 14:18]  # the upper middle shows the wall at z = 3
    assert float(wall.median()) == pytest.approx(3.0, abs=0.2)


def test_what_lies_outside_the_box_is_left_out(loaded: SplatPipeline):
    box = OrientedBox(R=torch.eye(3), T=torch.tensor([0.0, 0.0, 50.0]), S=torch.ones(3))
    outputs = loaded.splats.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]), obb_box=box)
    assert float(outputs["accumulation"].max()) == 0


def test_metrics_of_a_single_test_image_have_no_deviation(loaded: SplatPipeline, tmp_path: Path):
    metrics = loaded.get_average_eval_image_metrics(output_path=tmp_path, get_std=True)
    assert {"psnr", "ssim"} <= metrics.keys()
    assert all(math.isfinite(value) for value in metrics.values())
    assert not any(name.endswith("_std") for name in metrics)
    assert (tmp_path / "eval_panoptic_0000.png").exists()


def test_the_evaluation_loss_is_that_of_training(loaded: SplatPipeline):
    _, losses, _ = loaded.get_eval_loss_dict(0)
    assert 0 < float(losses["image"]) < 1


def test_a_run_without_instances_renders_the_rest(trained: Path, tmp_path: Path):
    run = copied(trained, tmp_path / "run")
    (run / "instances.npz").unlink()
    outputs = eval_setup(run / "config.yml")[1].model.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]))
    assert outputs.keys() == {"rgb", "depth", "accumulation", "relevancy", "features"}


def test_instances_of_another_step_are_refused(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = copied(trained, tmp_path / "run")
    found = read_instances(run / "instances.npz")
    fewer = dataclasses.replace(found, anchor_instance=found.anchor_instance[1:], child_instance=found.child_instance[1:])
    write_instances(run / "instances.npz", fewer)
    with pytest.raises(SystemExit) as stopped:
        eval_setup(run / "config.yml")
    assert stopped.value.code == 2
    assert "found at another step" in capsys.readouterr().err


def test_an_empty_model_says_so():
    model = SplatModelConfig().setup(scene_box=None, num_train_data=0)
    assert isinstance(model, SplatModel)
    with pytest.raises(S3DError, match="the model is empty"):
        model.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]))
