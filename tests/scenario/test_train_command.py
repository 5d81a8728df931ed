"""From a scene folder to numbers with `s3d-splat train`, on a tiny scene; kills, resumes and test frames included."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.cli import main
from s3d_splat.io.checkpoints import latest_checkpoint, load_checkpoint
from tests.scene_fixtures import write_tiny_scene

STEPS = 60
FLAGS = (
    f"--training.steps {STEPS} --scaffold.anchors 150 --scaffold.growth.interval 8 --scaffold.growth.max-anchors 220 "
    "--instances.aggregation.seeds 60 --raster.backend cpu --training.log-every 1"
).split()


def train(scene: Path, run: Path, *flags: str) -> None:
    main(["train", str(scene), str(run), *FLAGS, *flags])


def trained(run: Path) -> dict:
    path = latest_checkpoint(run / "checkpoints")
    assert path is not None
    return load_checkpoint(path)["session"]


def assert_same(a: object, b: object, where: str = "state") -> None:
    """Equal bit for bit, tensors inside dicts and lists included."""
    if isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert isinstance(b, list | tuple)
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor)
        assert torch.equal(a, b), where
    else:
        assert a == b, where


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_scene(tmp_path_factory.mktemp("train") / "scene", truth=True)


@pytest.fixture(scope="module")
def run(scene: Path) -> Path:
    folder = scene.parent / "run"
    train(scene, folder)
    return folder


def test_training_leaves_a_complete_run_folder(run: Path):
    info = json.loads((run / "run.json").read_text())
    assert info["configuration"]["training"]["steps"] == STEPS
    assert (run / "checkpoints" / f"step-{STEPS}.pt").exists()
    with np.load(run / "instances.npz", allow_pickle=False) as file:
        anchors = len(trained(run)["field"]["positions"])
        assert file["anchor_instance"].shape == (anchors,)
        assert file["child_instance"].shape == (anchors, 5)
    steps = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in steps] == list(range(STEPS))
    assert [entry["stage"] for entry in steps] == ["appearance"] * 24 + ["features"] * 18 + ["joint"] * 18
    looks = [entry["psnr"] for entry in steps if entry["stage"] == "appearance"]
    assert (
        sum(looks[-5:]) / 5 > sum(looks[:5]) / 5 + 1.0
    )  # dB; the five train views, at the end and at the start of the stage


def test_evaluation_renders_measures_and_reports(run: Path, capsys: pytest.CaptureFixture[str]):
    main(["evaluate", "run", str(run), "--json"])
    metrics = json.loads(capsys.readouterr().out)
    assert metrics == json.loads((run / "metrics.json").read_text())
    wanted = "psnr ssim pq pq_strict pq_filtered sq rq pq_th pq_st semantic_miou ap ap50 ap25 ar rc50 rc25 miou m50 m25 "
    wanted += "precision50 objects_predicted objects_true train_seconds peak_memory_mb fps"
    assert set(wanted.split()) <= metrics.keys()
    assert metrics["psnr"] > 15
    assert metrics["train_seconds"] > 0
    for kind in ("colour", "depth", "instances", "semantics", "panoptic"):
        assert (run / "renders" / "test" / kind / "0003.png").exists()
    assert (run / "report.html").read_text().startswith("<!")


def test_the_file_commands_give_the_same_figures(run: Path, scene: Path, capsys: pytest.CaptureFixture[str]):
    main(["evaluate", "run", str(run), "--json"])
    metrics = json.loads(capsys.readouterr().out)
    files = ["--pred", str(run / "eval/points.npz"), "--truth", str(scene / "truth/points.npz")]
    main(["evaluate", "instances", *files, "--protocol", "class-agnostic", "--json"])
    points = json.loads(capsys.readouterr().out)
    assert {key: points[key] for key in ("ap", "ap50", "ap25", "ar")} == {
        key: metrics[key] for key in ("ap", "ap50", "ap25", "ar")
    }
    images = ["--pred", str(run / "renders/test"), "--truth", str(run / "eval/truth")]
    main(["evaluate", "panoptic", *images, "--protocol", "scene", "--json"])
    panoptic = json.loads(capsys.readouterr().out)
    assert {key: panoptic[key] for key in ("pq", "sq", "rq", "pq_strict")} == {
        key: metrics[key] for key in ("pq", "sq", "rq", "pq_strict")
    }


def test_aggregating_again_needs_no_training_and_gives_the_same(run: Path):
    with np.load(run / "instances.npz") as file:
        before = file["child_instance"]
    main(["aggregate", str(run), "--aggregation.seeds", "60"])
    with np.load(run / "instances.npz") as file:
        assert np.array_equal(before, file["child_instance"])


def test_aggregating_again_starts_from_the_options_of_the_run(scene: Path, tmp_path: Path):
    folder = tmp_path / "run"
    train(scene, folder, "--instances.relift.rounds", "0")
    with np.load(folder / "instances.npz") as file:
        before = file["child_instance"]
    main(["aggregate", str(folder), "--relift.min-pixels", "10"])
    with np.load(folder / "instances.npz") as file:
        assert np.array_equal(before, file["child_instance"])
    main(["aggregate", str(folder), "--relift.rounds", "2"])
    with np.load(folder / "instances.npz") as file:
        assert not np.array_equal(before, file["child_instance"])


def test_the_masks_choose_the_threshold_unless_one_is_given(run: Path, capsys: pytest.CaptureFixture[str]):
    try:
        main(["aggregate", str(run), "--auto", "--relift.rounds", "0"])
        with np.load(run / "instances.npz") as file:
            chosen = file["child_instance"]
        main(["aggregate", str(run), "--aggregation.feature-threshold", "None", "--relift.rounds", "0"])
        with np.load(run / "instances.npz") as file:
            assert np.array_equal(chosen, file["child_instance"])
        with pytest.raises(SystemExit):
            main(["aggregate", str(run), "--auto", "--aggregation.feature-threshold", "0.1"])
        assert "--auto was given together with --aggregation.feature-threshold 0.1" in capsys.readouterr().err
    finally:
        main(["aggregate", str(run)])


def test_every_ablation_goes_from_training_to_figures_and_resumes(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    flags = "--scaffold.feature-per gaussian --scaffold.view-dependent-opacity --training.freeze-appearance "
    flags += "--instances.aggregation.clustering hdbscan --instances.aggregation.edges colour --training.steps 30"
    train(scene, run, *flags.split())
    with np.load(run / "instances.npz") as file:
        before = file["child_instance"]
    main(["train", str(scene), str(run), "--resume"])
    with np.load(run / "instances.npz") as file:
        assert np.array_equal(before, file["child_instance"])
    capsys.readouterr()
    main(["evaluate", "run", str(run), "--json"])
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["psnr"] > 10
    assert metrics["objects_predicted"] > 0


def test_an_orbit_is_rendered(run: Path):
    main(["render", str(run), "--path", "orbit", "--frames", "3"])
    assert len(list((run / "renders" / "orbit" / "colour").glob("*.png"))) == 3


def test_test_frames_change_no_trained_parameter(scene: Path, run: Path, tmp_path: Path):
    spoilt = write_tiny_scene(tmp_path / "scene", truth=True)
    noise = np.random.default_rng(0)
    Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(spoilt / "images" / "0003.png")
    for kind in ("instances", "semantics", "depth"):
        values = noise.integers(0, 3, (24, 32)).astype(np.uint16)
        Image.fromarray(values).save(spoilt / kind / "0003.png")
    train(spoilt, tmp_path / "run")
    assert_same(trained(run), trained(tmp_path / "run"))
    with np.load(run / "instances.npz") as a, np.load(tmp_path / "run" / "instances.npz") as b:
        for name in a:
            assert np.array_equal(a[name], b[name]), name


def test_renumbered_masks_give_the_same_result_bit_for_bit(scene: Path, run: Path, tmp_path: Path):
    renumbered = write_tiny_scene(tmp_path / "scene", truth=True)
    table = json.loads((renumbered / "instances.json").read_text())
    rows = []
    for number, path in enumerate(sorted((renumbered / "instances").glob("*.png"))):
        ids = np.asarray(Image.open(path)).astype(np.uint16)
        new = ids.copy()
        for place, row in enumerate(reversed(table)):
            fresh = 100 * (number + 1) + place
            new[ids == row["id"]] = fresh
            rows.append({**row, "id": fresh})
        Image.fromarray(new).save(path)
    (renumbered / "instances.json").write_text(json.dumps(rows))
    train(renumbered, tmp_path / "run")
    assert_same(trained(run), trained(tmp_path / "run"))
    with np.load(run / "instances.npz") as a, np.load(tmp_path / "run" / "instances.npz") as b:
        assert np.array_equal(a["child_instance"], b["child_instance"])


@pytest.mark.parametrize("kill_at", [5, 30, 50])
def test_a_killed_training_resumes_to_the_same_bits(scene: Path, run: Path, tmp_path: Path, kill_at: int):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", "from s3d_splat.cli import main; main()", "train", str(scene), str(folder)]
    flags = [*FLAGS, "--training.checkpoint-seconds", "0"]
    process = subprocess.Popen([*command, *flags], stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if _steps_logged(folder) >= kill_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    assert process.wait() == -signal.SIGKILL
    main(["train", str(scene), str(folder), "--resume"])
    assert_same(trained(run), trained(folder))
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(STEPS))


KILLED_IN = {
    "growth": ("s3d_splat.training.session", "resize", 2),  # the second growth, half of it done
    "a checkpoint write": ("os", "replace", 12),  # written, not yet in its place
    "aggregation": ("s3d_splat.instances.build", "aggregate_anchors", 1),
}


@pytest.mark.parametrize("place", KILLED_IN)
def test_a_kill_inside_growth_a_checkpoint_write_or_aggregation_costs_nothing(
    place: str, scene: Path, run: Path, tmp_path: Path
):
    module, name, call = KILLED_IN[place]
    killer = f"""
import importlib, os, signal
from s3d_splat.cli import main
holder, calls = importlib.import_module({module!r}), []
original = holder.{name}
def killing(*arguments, **options):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
holder.{name} = killing
main()
"""
    folder = tmp_path / "run"
    flags = [*FLAGS, "--training.checkpoint-seconds", "0"]
    killed = subprocess.run([sys.executable, "-c", killer, "train", str(scene), str(folder), *flags], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / "instances.npz").exists()
    main(["train", str(scene), str(folder), "--resume"])
    assert_same(trained(run), trained(folder))
    with np.load(run / "instances.npz") as a, np.load(folder / "instances.npz") as b:
        assert np.array_equal(a["child_instance"], b["child_instance"])


def _steps_logged(folder: Path) -> int:
    log = folder / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0
