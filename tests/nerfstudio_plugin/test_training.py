"""`ns-train` on a tiny scene, to the end and after interruptions: the same training as through the other door."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nerfstudio_plugin import trainer as trainer_module
from s3d_splat.config import config_from_dict
from s3d_splat.io.checkpoints import latest_checkpoint, load_checkpoint
from s3d_splat.io.results import read_instances
from s3d_splat.io.run_folder import open_run
from s3d_splat.pipeline.measure import evaluate
from s3d_splat.pipeline.train import train
from tests.nerfstudio_plugin.conftest import STEPS

pytestmark = pytest.mark.filterwarnings("ignore")

NsTrain = Callable[..., None]
Capture = pytest.CaptureFixture[str]


def state_of(run: Path) -> dict:
    path = latest_checkpoint(run / "checkpoints")
    assert path is not None
    return load_checkpoint(path)["session"]


def assert_same_field(first: Path, second: Path) -> None:
    one, other = state_of(first), state_of(second)
    assert one["step"] == other["step"]
    for name, tensor in one["field"].items():
        assert torch.equal(tensor, other["field"][name]), name


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next training is stopped before `step`; its checkpoints come after every third step."""
    original = trainer_module.SplatTrainer.train_iteration

    def train_iteration(self: trainer_module.SplatTrainer, index: int) -> object:
        if index == step:
            raise InterruptedError
        result = original(self, index)
        if self.session.step_index % 3 == 0:
            self.save_checkpoint(index)
        return result

    monkeypatch.setattr(trainer_module.SplatTrainer, "train_iteration", train_iteration)


def test_it_leaves_a_run_folder_and_nerfstudios_files(trained: Path):
    run = open_run(trained)
    assert run.info.command[:2] == ["ns-train", "scale3d-splat"]
    assert run.info.configuration["training"]["steps"] == STEPS
    assert (trained / "checkpoints" / f"step-{STEPS}.pt").exists()
    assert [path.name for path in (trained / "nerfstudio_models").iterdir()] == [f"step-{STEPS - 1:09d}.ckpt"]
    assert (trained / "config.yml").exists()
    steps = [json.loads(line)["step"] for line in run.log.read_text().splitlines()]
    assert steps == [0, 10, STEPS - 1]
    anchors = len(state_of(trained)["field"]["positions"])
    assert anchors != 150  # it grew
    assert read_instances(run.instances).anchor_instance.shape == (anchors,)


def test_both_doors_run_the_same_steps(trained: Path, scene_folder: Path, tmp_path: Path):
    config = config_from_dict(dict(open_run(trained).info.configuration))
    train(scene_folder, tmp_path / "run", config, "s3d-splat train")
    assert_same_field(trained, tmp_path / "run")
    ours, other = read_instances(tmp_path / "run" / "instances.npz"), read_instances(trained / "instances.npz")
    assert torch.equal(ours.child_instance, other.child_instance)


def test_the_other_commands_work_on_its_run_folder(trained: Path, tmp_path: Path):
    run = shutil.copytree(trained, tmp_path / "run")
    metrics = evaluate(run)
    assert metrics["psnr"] > 10
    assert (run / "renders" / "test" / "panoptic" / "0003.png").exists()


def test_an_interrupted_training_goes_on_in_its_folder(
    trained: Path, scene_folder: Path, tmp_path: Path, ns_train: NsTrain, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        interrupt_at(14, patched)
        with pytest.raises(InterruptedError):
            ns_train("--data", scene_folder, "--run-folder", folder)
    assert latest_checkpoint(folder / "checkpoints").name == "step-12.pt"
    ns_train("--data", scene_folder, "--run-folder", folder)
    assert_same_field(trained, folder)
    assert [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()] == [0, 10, STEPS - 1]


def test_a_training_that_ended_only_finds_its_instances_again(
    trained: Path, scene_folder: Path, tmp_path: Path, ns_train: NsTrain, monkeypatch: pytest.MonkeyPatch
):
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / "instances.npz").unlink()
    monkeypatch.setattr("nerfstudio.utils.writer.GLOBAL_BUFFER", {"events": {}})  # as in a process of its own
    ns_train("--data", scene_folder, "--run-folder", folder)
    assert_same_field(trained, folder)
    assert (folder / "instances.npz").read_bytes() == (trained / "instances.npz").read_bytes()


def test_load_dir_continues_in_a_new_folder(
    trained: Path, scene_folder: Path, tmp_path: Path, ns_train: NsTrain, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        interrupt_at(9, patched)
        with pytest.raises(InterruptedError):
            ns_train("--data", scene_folder, "--run-folder", tmp_path / "first")
    models = tmp_path / "first" / "nerfstudio_models"
    ns_train("--data", scene_folder, "--run-folder", tmp_path / "second", "--load-dir", models)
    assert_same_field(trained, tmp_path / "second")
    checkpoint = models / "step-000000008.ckpt"
    ns_train("--data", scene_folder, "--run-folder", tmp_path / "third", "--load-checkpoint", checkpoint)
    assert_same_field(trained, tmp_path / "third")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--data", "{tmp}/nothing"), "nothing is no folder"),
        (("--data", "{scene}", "--run-folder", "{run}", "--max-num-iterations", 5), "holds a run with other options"),
        (("--data", "{scene}", "--run-folder", "{tmp}/new", "--load-dir", "{tmp}/none"), "run.json"),
        (("--data", "{scene}", "--run-folder", "{tmp}/new", "--load-checkpoint", "{tmp}/a.ckpt"), "no checkpoint of a run"),
        (("--data", "{scene}", "--run-folder", "{tmp}/new", "--pipeline.model.training.steps", 0), "0 steps"),
    ],
)
def test_mistakes_end_with_their_message(
    flags: tuple,
    message: str,
    trained: Path,
    scene_folder: Path,
    tmp_path: Path,
    ns_train: NsTrain,
    capsys: pytest.CaptureFixture,
):
    run = shutil.copytree(trained, tmp_path / "run")
    places = {"tmp": str(tmp_path), "scene": str(scene_folder), "run": str(run)}
    given = [str(flag).format(**places) for flag in flags]
    with pytest.raises(SystemExit) as stopped:
        ns_train("--output-dir", tmp_path / "outputs", *given)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert "fix:" in told
    assert "Traceback" not in told


def test_the_command_itself_stops_with_status_2_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    from nerfstudio.scripts.train import entrypoint

    monkeypatch.setattr(sys, "argv", ["ns-train", "scale3d-splat", "--output-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        entrypoint()
    assert stopped.value.code == 2
    assert "no scene was given" in capsys.readouterr().err
