"""What a user gets wrong: every mistake has its message, exit status 2 and no traceback."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.cli import main
from s3d_splat.io.ply import write_proxy
from s3d_splat.types import ProxyGeometry
from tests.scene_fixtures import write_tiny_scene


def edit_json(path: Path, change: Callable[[dict], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def no_transforms(scene: Path) -> None:
    (scene / "transforms.json").unlink()


def broken_json(scene: Path) -> None:
    (scene / "transforms.json").write_text("{")


def missing_image(scene: Path) -> None:
    (scene / "images" / "0001.png").unlink()


def unreadable_image(scene: Path) -> None:
    (scene / "images" / "0001.png").write_bytes(b"no image")


def wrong_size(scene: Path) -> None:
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(scene / "images" / "0001.png")


def nan_pose(scene: Path) -> None:
    edit_json(scene / "transforms.json", lambda t: t["frames"][1]["transform_matrix"][0].__setitem__(3, float("nan")))


def scaled_pose(scene: Path) -> None:
    edit_json(scene / "transforms.json", lambda t: t["frames"][1]["transform_matrix"][0].__setitem__(0, 3.0))


def unknown_id(scene: Path) -> None:
    Image.fromarray(np.full((24, 32), 77, np.uint16)).save(scene / "instances" / "0001.png")


def contradicting_split(scene: Path) -> None:
    edit_json(scene / "transforms.json", lambda t: t["train_filenames"].append(t["test_filenames"][0]))


def empty_proxy(scene: Path) -> None:
    path = scene / "proxy.ply"
    head = path.read_bytes().split(b"end_header\n")[0].decode()
    lines = ["element vertex 0" if line.startswith("element vertex") else line for line in head.splitlines()]
    path.write_bytes(("\n".join(lines) + "\nend_header\n").encode())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_transforms, ["transforms.json"]),
        (broken_json, ["transforms.json"]),
        (missing_image, ["0001.png"]),
        (unreadable_image, ["0001.png"]),
        (wrong_size, ["0001.png", "10"]),
        (nan_pose, ["0001.png"]),
        (scaled_pose, ["0001.png"]),
        (unknown_id, ["0001.png", "77"]),
        (contradicting_split, ["0003.png", "split"]),
        (empty_proxy, ["proxy.ply"]),
    ],
)
def test_a_scene_that_is_not_sound_is_refused_before_training(
    spoil: Callable[[Path], None], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    scene = write_tiny_scene(tmp_path / "scene")
    spoil(scene)
    refused(["train", str(scene), str(tmp_path / "run")], words, capsys)
    assert not (tmp_path / "run").exists()


def refused(arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert "Traceback" not in said
    for word in ("error:", "why:", "fix:", *words):
        assert word in said


def test_a_run_folder_in_use_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    scene = write_tiny_scene(tmp_path / "scene")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    refused(["train", str(scene), str(tmp_path / "run")], ["holds a run already"], capsys)


@pytest.mark.parametrize("command", [["render"], ["evaluate", "run"], ["aggregate"]])
def test_a_folder_that_is_no_run_is_refused(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    refused([*command, str(tmp_path)], ["run.json"], capsys)


def test_an_unknown_fault_preset_and_class_list_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    refused(["synth", str(tmp_path / "a"), "--fault", "rust"], ["rust", "jitter"], capsys)
    refused(["train", "a", "b", "--preset", "phone"], ["phone", "cpu"], capsys)
    files = ["--pred", "p.npz", "--truth", "t.npz"]
    refused(["evaluate", "instances", *files, "--classes", "chair"], ["chair"], capsys)


def test_zero_steps_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    scene = write_tiny_scene(tmp_path / "scene")
    refused(["train", str(scene), str(tmp_path / "run"), "--training.steps", "0"], ["0 steps"], capsys)


@pytest.mark.parametrize(
    "option",
    ["scaffold.children", "scaffold.features", "scaffold.anchors", "scaffold.growth.interval", "training.log-every"],
)
def test_an_option_out_of_range_is_refused_and_leaves_nothing(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    scene = write_tiny_scene(tmp_path / "scene")
    refused(["train", str(scene), str(tmp_path / "run"), f"--{option}", "0"], [f"--{option}"], capsys)
    assert not (tmp_path / "run").exists()


def test_a_proxy_of_one_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    scene = write_tiny_scene(tmp_path / "scene")
    write_proxy(scene / "proxy.ply", ProxyGeometry(torch.ones(50, 3), torch.ones(50, 3)))
    refused(["train", str(scene), str(tmp_path / "run")], ["one point"], capsys)


def test_resuming_with_other_options_is_refused(capsys: pytest.CaptureFixture[str]):
    refused(["train", "scene", "run", "--resume", "--training.steps", "99"], ["--resume"], capsys)


def test_resuming_with_another_scene_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    first, second = write_tiny_scene(tmp_path / "a"), write_tiny_scene(tmp_path / "b")
    flags = ["--training.steps", "2", "--scaffold.anchors", "60", "--instances.aggregation.seeds", "20"]
    main(["train", str(first), str(tmp_path / "run"), *flags])
    refused(["train", str(second), str(tmp_path / "run"), "--resume"], ["was trained on"], capsys)


def test_help_is_light(tmp_path: Path):
    code = "import sys; from s3d_splat.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'numpy', 'scipy'} & sys.modules.keys(), 'heavy imports'"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
