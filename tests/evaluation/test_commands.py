"""`s3d-splat evaluate ...` as a user meets it: JSON and nothing else, tables, details, and mistakes with exit status 2."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.cli import main
from s3d_splat.io.atomic import write_json
from s3d_splat.metrics.scannet_classes import TEXT_QUERY_CLASSES
from tests.evaluation.test_geometry_files import CENTRES, cloud, rows, write_poses
from tests.evaluation.test_image_files import TABLE, grey, write_scene
from tests.evaluation.test_scannet_text import write_npz_scene, write_text_scene


def instances(root: Path) -> list[str]:
    for name in ("a", "b"):
        write_text_scene(root, name)
    return ["instances", "--protocol", "scannet"]


def best_overlap(root: Path) -> list[str]:
    for name in ("a", "b"):
        write_npz_scene(root, name)
    return ["instances", "--protocol", "best-overlap"]


def panoptic(root: Path) -> list[str]:
    for name in ("a", "b"):
        write_scene(root, name, 18)
    write_json(root / "truth" / "classes.json", TABLE)
    return ["panoptic", "--protocol", "scene"]


def coco(root: Path) -> list[str]:
    panoptic(root)
    return ["panoptic", "--protocol", "coco"]


def tracks(root: Path) -> list[str]:
    for name in ("a", "b"):
        write_scene(root, name, 18, frames=6)
    return ["tracks"]


def poses(root: Path) -> list[str]:
    for side in ("pred", "truth"):
        for name in ("a", "b"):
            write_poses(root / side / f"{name}.json", rows(CENTRES))
    return ["poses"]


def points(root: Path) -> list[str]:
    for name in ("a", "b"):
        cloud(root / "pred" / f"{name}.ply", 0.5)
        cloud(root / "truth" / f"{name}.ply", 0.0)
    return ["points"]


def temporal(root: Path) -> list[str]:
    for place in ("a", "b"):
        for visit in ("monday", "friday"):
            write_npz_scene(root / "visits", visit)
        for side in ("pred", "truth"):
            (root / side).mkdir(exist_ok=True)
            (root / "visits" / side).rename(root / side / place)
    return ["temporal"]


def text_query(root: Path) -> list[str]:
    classes = np.array(TEXT_QUERY_CLASSES[10])
    for name in ("a", "b"):
        for side in ("pred", "truth"):
            (root / side).mkdir(exist_ok=True)
        np.savez(root / "pred" / f"{name}.npz", class_id=classes, class_score=np.eye(10))
        np.savez(root / "truth" / f"{name}.npz", semantic=classes)
    return ["text-query", "--classes", "10"]


def images(root: Path) -> list[str]:
    for name in ("a", "b"):
        grey(root / "pred" / name / "0.png", 90)
        grey(root / "truth" / name / "0.png", 100)
    return ["images"]


COMMANDS: dict[Callable[[Path], list[str]], tuple[set[str], set[str]]] = {  # metrics, kinds of detail
    instances: ({"ap", "ap50", "ap25"}, {"scene", "class", "object"}),
    best_overlap: ({"miou", "m50", "m25"}, {"scene", "object"}),
    panoptic: ({"pq", "sq", "rq", "pq_th", "pq_st", "pq_filtered", "pq_strict"}, {"scene", "class", "object"}),
    coco: ({"pq", "sq", "rq", "pq_th", "pq_st"}, {"scene", "class", "object"}),
    tracks: ({"idf1", "id_kept"}, {"scene", "object"}),
    poses: ({"auc5", "auc10", "auc30", "ate"}, {"scene", "image"}),
    points: ({"accuracy_mean", "completion_median", "normal_consistency_mean"}, {"scene"}),
    temporal: ({"t_ap", "t_ap50", "t_ap25"}, {"scene", "object"}),
    text_query: ({"semantic_miou", "semantic_macc"}, {"scene", "class"}),
    images: ({"psnr", "ssim", "lpips"}, {"scene", "image"}),
}


@pytest.mark.parametrize("arrange", COMMANDS)
def test_every_command(arrange: Callable[[Path], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics, kinds = COMMANDS[arrange]
    call = ["evaluate", *arrange(tmp_path), "--pred", str(tmp_path / "pred"), "--truth", str(tmp_path / "truth")]
    main([*call, "--json", "--details", str(tmp_path / "details.csv")])
    result = json.loads(capsys.readouterr().out)
    assert metrics <= result.keys()
    assert result["scenes"] == ["a", "b"]
    assert [row["scene"] for row in result["per_scene"]] == ["a", "b"]
    assert metrics - {"lpips"} <= result["per_scene"][0].keys()
    with open(tmp_path / "details.csv", newline="") as file:
        details = list(csv.DictReader(file))
    assert {row["kind"] for row in details} == kinds
    main(call)
    shown = capsys.readouterr().out
    assert "per scene" in shown
    assert all(name in shown for name in metrics)


@pytest.mark.parametrize("arrange", COMMANDS)
def test_what_is_not_there_is_refused(
    arrange: Callable[[Path], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arrange(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *command, "--pred", str(tmp_path / "none"), "--truth", str(tmp_path / "truth")])
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert "none does not exist" in output.err
    assert output.out == ""


def test_two_visits_of_one_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    temporal(tmp_path)
    main(
        ["evaluate", "temporal", "--pred", str(tmp_path / "pred" / "a"), "--truth", str(tmp_path / "truth" / "a"), "--json"]
    )
    result = json.loads(capsys.readouterr().out)
    assert (result["scenes"], result["per_scene"][0]["stages"]) == (["a"], 2)
    # two visits alike say what one says
    one = [str(tmp_path / side / "a" / "monday.npz") for side in ("pred", "truth")]
    main(["evaluate", "instances", "--pred", one[0], "--truth", one[1], "--json"])
    assert result["t_ap"] == json.loads(capsys.readouterr().out)["ap"]


def test_help_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    code = "import sys; from s3d_splat.cli import main\n"
    code += "try: main(['evaluate', 'text-query', '--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'numpy', 'scipy'} & sys.modules.keys(), 'heavy imports'"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
