"""`s3d-splat export` on a tiny trained run: what is printed, what lies where, and that it is true."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plyfile import PlyData

from s3d_splat.cli import main
from s3d_splat.editing.apply import apply
from s3d_splat.editing.operations import Recolour, Remove
from s3d_splat.evaluation.files import evaluate_instances_files
from s3d_splat.export.registry import FORMATS
from s3d_splat.pipeline.edit import open_editable, save_edited
from s3d_splat.pipeline.export import open_exportable
from tests.scenario.chairs import edit_instances, instances_of, own_copy
from tests.scenario.test_user_errors import refused


@pytest.fixture(scope="module")
def run(trained_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_copy(trained_tiny, tmp_path_factory.mktemp("export"))


def exported(capsys: pytest.CaptureFixture[str], run: Path, out: Path, *arguments: str) -> dict[str, Any]:
    """What the command prints with --json, which is one line."""
    capsys.readouterr()
    main(["export", str(run), "--out", str(out), *arguments, "--json"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    return json.loads(printed)


def test_out_is_taken_as_given(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, is_folder in (
        ("ply", False),
        ("glb", False),
        ("coco-panoptic", True),
        ("instances-ply", True),
        ("scannet", True),
    ):
        found = exported(capsys, run, tmp_path / "deep" / name, "--format", name)
        assert (found["format"], found["out"]) == (name, str(tmp_path / "deep" / name))
        assert (tmp_path / "deep" / name).is_dir() == is_folder
    names = sorted(path.name for path in (tmp_path / "deep" / "coco-panoptic").iterdir())
    assert names == ["panoptic", "panoptic.json"]
    assert len(list((tmp_path / "deep").iterdir())) == 5


def test_people_read_the_loss_and_the_notes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["export", str(run), "--out", str(tmp_path / "a.ply"), "--sh-degree", "2"])
    printed = capsys.readouterr().out
    for word in ("psnr_loss", "psnr_baked", "gaussians", f"wrote {tmp_path / 'a.ply'}"):
        assert word in printed


def test_the_loss_of_degree_2_is_small(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    found = exported(capsys, run, tmp_path / "a.ply", "--sh-degree", "2")
    assert found["psnr_loss"] < 0.7


def test_the_scannet_score_is_the_direct_one(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["evaluate", "run", str(run)])
    found = exported(capsys, run, tmp_path / "out", "--format", "scannet")
    truth = Path(json.loads((run / "run.json").read_text())["scene"]) / "truth" / "points.npz"
    scores = [
        evaluate_instances_files(prediction, truth, "scannet", classes)
        for prediction in (run / "eval" / "points.npz", tmp_path / "out" / found["file"])
        for classes in (None, (1, 5))
    ]
    for name in ("ap", "ap50", "ap25"):
        assert scores[0][name] == scores[2][name]
        assert scores[1][name] == scores[3][name]
    assert scores[0]["ap25"] > 0.9


def test_the_coco_score_is_the_direct_one(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from s3d_splat.evaluation.image_files import evaluate_panoptic_files
    from tests.export.test_labels import coco_quality

    main(["evaluate", "run", str(run)])
    exported(capsys, run, tmp_path / "pred", "--format", "coco-panoptic")
    exported(capsys, run, tmp_path / "true", "--format", "coco-panoptic", "--truth")
    direct = evaluate_panoptic_files(run / "renders" / "test", run / "eval" / "truth", "coco")
    assert coco_quality(tmp_path / "pred", tmp_path / "true") == pytest.approx(direct["pq"], abs=1e-12)


def test_an_edited_run_is_exported_as_it_is_shown(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One object is removed and another one painted red: the files hold neither the one nor the other's old colour."""
    table = instances_of(run)
    gone, red = (int(id) for id in table["instance_id"][table["is_thing"] == 1][:2])
    opened, scene, around = open_editable(run)
    steps = (Remove((gone,), fill=False), Recolour((red,), (1.0, 0.0, 0.0)))
    for step in steps:
        scene = apply(scene, step, around).scene
    edited = save_edited(opened, scene, steps, tmp_path / "edited", "s3d-splat edit").root
    exported(capsys, edited, tmp_path / "a.ply", "--instance-property")
    vertices = PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert gone not in vertices["instance"]
    own = vertices[vertices["instance"] == red]
    seen = np.median([0.5 + 0.28209479177387814 * own[f"f_dc_{i}"] for i in range(3)], axis=1)
    assert seen[0] > 2 * seen[1:].max()
    found = exported(capsys, edited, tmp_path / "objects", "--format", "instances-ply")
    assert found["objects"] == len(table["instance_id"]) - 1
    for name in FORMATS:
        if name not in ("spz", "usd"):
            exported(capsys, edited, tmp_path / name, "--format", name)
    refused(["export", str(edited), "--out", str(tmp_path / "b.ply"), "--ids", str(gone)], [f"no object {gone}"], capsys)


def test_objects_whose_class_is_unknown(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    nameless = own_copy(run, tmp_path)
    edit_instances(nameless, class_id=np.zeros_like(instances_of(nameless)["class_id"]))
    exported(capsys, nameless, tmp_path / "objects", "--format", "instances-ply")
    rows = json.loads((tmp_path / "objects" / "instances.json").read_text())
    assert all(row["file"] == f"object_{row['id']}.ply" and row["class_name"] is None for row in rows)
    found = exported(capsys, nameless, tmp_path / "scannet", "--format", "scannet")
    assert found["objects"] == 0
    assert found["notes"] == ["left out, because NYU40 has no such class: unknown"]


def test_the_next_export_takes_the_place_of_the_last(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, ids = tmp_path / "objects", [str(id) for id in instances_of(run)["instance_id"][:1]]
    exported(capsys, run, out, "--format", "instances-ply")
    exported(capsys, run, out, "--format", "instances-ply", "--ids", *ids)
    assert len(list(out.glob("*.ply"))) == 1
    (out / "letter.txt").write_text("dear")
    refused(["export", str(run), "--out", str(out), "--format", "instances-ply"], [str(out), "not empty"], capsys)
    assert (out / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sh-degree", "4"], ["--sh-degree 4 is out of range"]),
        (["--views", "0"], ["--views 0 is out of range"]),
        (["--format", "glb", "--voxel", "-1"], ["--voxel -1.0 is out of range"]),
        (["--format", "camera-path", "--frames", "0"], ["--frames 0 is out of range"]),
        (["--format", "camera-path", "--fps", "nan"], ["--fps nan is out of range"]),
        (["--format", "glb", "--sh-degree", "2"], ["--sh-degree says nothing to the format glb", "--voxel"]),
        (["--ids", "77"], ["the run has no object 77"]),
    ],
)
def test_mistakes_are_said(
    arguments: list[str], words: list[str], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused(["export", str(run), "--out", str(tmp_path / "out"), *arguments], words, capsys)
    assert not list(tmp_path.iterdir())


def test_a_run_opens_as_every_format_takes_it(run: Path):
    trained = open_exportable(run)
    camera = trained.scene.frames[0].camera
    assert len(trained.decode(camera).means) == trained.instances.child_instance.numel()
