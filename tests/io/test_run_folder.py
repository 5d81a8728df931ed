"""The run folder: run.json, the scene it belongs to, instances, metrics and pictures."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_npz
from s3d_splat.io.results import (
    read_instances,
    write_colour_png,
    write_depth_png,
    write_id_png,
    write_instances,
    write_metrics,
)
from s3d_splat.io.run_folder import RunFolder, create_run, open_run, scene_hash, scene_of
from s3d_splat.types import InstanceSet


@pytest.fixture
def run(scene_folder: Path, tmp_path: Path) -> RunFolder:
    return create_run(
        tmp_path / "run",
        scene_folder,
        {"steps": 5, "nested": {"rate": 0.1}},
        ["train", "scene", "run"],
        rasterizer="cpu",
        device="cpu",
    )


def test_a_run_comes_back(run: RunFolder, scene_folder: Path) -> None:
    found = open_run(run.root)
    assert found == run
    assert found.info.configuration == {"steps": 5, "nested": {"rate": 0.1}}
    assert found.info.command == ["train", "scene", "run"]
    assert {"s3d_splat", "torch", "numpy", "python"} <= set(found.info.versions)
    assert scene_of(found) == scene_folder


def test_paths(run: RunFolder) -> None:
    inner = [run.checkpoints, run.instances, run.metrics, run.eval_points, run.report, run.renders("test", "depth")]
    assert [path.relative_to(run.root).as_posix() for path in inner] == [
        "checkpoints",
        "instances.npz",
        "metrics.json",
        "eval/points.npz",
        "report.html",
        "renders/test/depth",
    ]


def test_a_run_is_not_overwritten(run: RunFolder, scene_folder: Path) -> None:
    with pytest.raises(S3DError, match="holds a run already"):
        create_run(run.root, scene_folder, {}, [], rasterizer="cpu", device="cpu")


def test_a_folder_that_cannot_be_made(scene_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(S3DError, match=r"cannot write .*file"):
        create_run(tmp_path / "file" / "run", scene_folder, {}, [], rasterizer="cpu", device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, r"run.json has format version 99"),
        ({"configuration": None}, r"run.json has no configuration"),
        ({"scene": "/nowhere"}, "/nowhere, the scene of .*, is not there"),
        ({"scene_hash": "0"}, "has changed since"),
    ],
)
def test_a_run_that_does_not_fit(run: RunFolder, change: dict[str, Any], message: str) -> None:
    path = run.root / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(S3DError, match=message):
        scene_of(open_run(run.root))


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "run.json does not exist"), ("{", "run.json is not valid JSON"), ("[]", "run.json is no description of a run")],
)
def test_no_run(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(S3DError, match=message):
        open_run(tmp_path)


def test_the_hash_sees_what_training_reads(scene_folder: Path) -> None:
    before = scene_hash(scene_folder)
    (scene_folder / "notes.txt").write_text("mine")
    (scene_folder / "truth").mkdir()
    (scene_folder / "truth/classes.json").write_text("[]")
    assert scene_hash(scene_folder) == before
    changed = set()
    for name in ("images/0001.png", "instances/0001.png", "proxy.ply", "classes.json", "transforms.json"):
        (scene_folder / name).write_bytes((scene_folder / name).read_bytes() + b"\n")
        changed.add(scene_hash(scene_folder))
    assert len(changed | {before}) == 6


def instance_set() -> InstanceSet:
    return InstanceSet(
        anchor_instance=torch.tensor([1, 0, 7], dtype=torch.int32),
        child_instance=torch.tensor([[1, 1], [0, 7], [7, 7]], dtype=torch.int32),
        instance_id=torch.tensor([1, 7], dtype=torch.int32),
        class_id=torch.tensor([5, 0], dtype=torch.int32),
        is_thing=torch.tensor([1, 0], dtype=torch.int32),
        score=torch.tensor([0.5, 1.0]),
        size=torch.tensor([2, 3], dtype=torch.int32),
        aabb=torch.arange(12.0).reshape(2, 2, 3),
    )


def empty_set() -> InstanceSet:
    none = torch.zeros(0, dtype=torch.int32)
    anchors = torch.zeros(3, dtype=torch.int32)
    return InstanceSet(
        anchors, torch.zeros(3, 2, dtype=torch.int32), *([none] * 3), torch.zeros(0), none, torch.zeros(0, 2, 3)
    )


@pytest.mark.parametrize("instances", [instance_set(), empty_set()])
def test_instances_round_trip(tmp_path: Path, instances: InstanceSet) -> None:
    write_instances(tmp_path / "instances.npz", instances)
    found = read_instances(tmp_path / "instances.npz")
    for field in fields(InstanceSet):
        have, want = getattr(found, field.name), getattr(instances, field.name)
        assert torch.equal(have, want)
        assert have.dtype == want.dtype


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("score", np.zeros(3, np.float32), r"score is float32 of shape \(3,\)"),
        ("aabb", np.zeros((2, 3, 2), np.float32), "aabb is float32"),
        ("class_id", np.zeros(2, np.float32), "class_id is float32"),
        ("child_instance", np.zeros((2, 2), np.int32), r"child_instance is int32 of shape \(2, 2\)"),
        ("child_instance", np.full((3, 2), 4, np.int32), "child_instance holds id 4, which instance_id lacks"),
        ("instance_id", np.array([7, 7], np.int32), "instance_id repeats an id"),
        ("instance_id", np.array([0, 7], np.int32), r"instance_id repeats an id or holds one outside 1\.\.65535"),
        ("size", np.array([{}, {}]), "cannot be read"),
    ],
)
def test_instances_that_do_not_fit(tmp_path: Path, name: str, array: np.ndarray, message: str) -> None:
    arrays = {field.name: getattr(instance_set(), field.name).numpy() for field in fields(InstanceSet)}
    np.savez(tmp_path / "instances.npz", **(arrays | {name: array}))
    with pytest.raises(S3DError, match=message):
        read_instances(tmp_path / "instances.npz")


def test_instances_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match=r"instances.npz does not exist(?s:.*)s3d-splat aggregate"):
        read_instances(tmp_path / "instances.npz")
    write_npz(tmp_path / "instances.npz", size=np.zeros(2))
    with pytest.raises(S3DError, match="anchor_instance"):
        read_instances(tmp_path / "instances.npz")
    (tmp_path / "instances.npz").write_bytes(b"PK junk")
    with pytest.raises(S3DError, match="cannot be read"):
        read_instances(tmp_path / "instances.npz")


def test_metrics(tmp_path: Path) -> None:
    write_metrics(tmp_path / "metrics.json", {"psnr": 28.5, "pq": None})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"psnr": 28.5, "pq": None}


def test_pictures(tmp_path: Path) -> None:
    write_colour_png(tmp_path / "a/colour.png", torch.tensor([[[0.0, 0.5, 2.0]]]))
    write_colour_png(tmp_path / "bytes.png", torch.tensor([[[1, 2, 3]]], dtype=torch.uint8))
    write_id_png(tmp_path / "ids.png", torch.tensor([[0, 65535]], dtype=torch.int32))
    write_depth_png(tmp_path / "depth.png", torch.tensor([[0.0, 1.2344, 66.0, -1.0]]))
    assert np.array(Image.open(tmp_path / "a/colour.png")).tolist() == [[[0, 128, 255]]]
    assert np.array(Image.open(tmp_path / "bytes.png")).tolist() == [[[1, 2, 3]]]
    assert np.array(Image.open(tmp_path / "ids.png")).tolist() == [[0, 65535]]
    assert np.array(Image.open(tmp_path / "depth.png")).tolist() == [[0, 1234, 0, 0]]
    with pytest.raises(S3DError, match=r"ids 0..70000"):
        write_id_png(tmp_path / "ids.png", torch.tensor([[0, 70000]]))


def test_another_dtype_is_narrowed(tmp_path: Path) -> None:
    wide = replace(instance_set(), instance_id=torch.tensor([1, 7]))
    write_instances(tmp_path / "instances.npz", wide)
    assert read_instances(tmp_path / "instances.npz").instance_id.dtype == torch.int32
