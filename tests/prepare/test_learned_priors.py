"""`s3d-splat prepare` with learned priors: from the command line to a scene, weights random."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("transformers")

from s3d_splat.cli import main
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare import cluster_stages
from s3d_splat.prepare.workspace import work_folder
from tests.prepare.box_world import write_box_capture
from tests.priors.masks.tiny import sam2_folder, sam3_folder

FLAGS = ("--alignment.fusion.cell", "0.02", "--no-ego-mask")
ANY = ("propose.points=3", "propose.quality=0", "propose.stability=0", "track.chunk=3", "track.objects=5", "track.every=2")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_box_capture(tmp_path_factory.mktemp("learned") / "capture", spans=(range(0, 6), range(3, 9)))


def sam2(capture: Path, scene: Path) -> None:
    chosen = [word for text in ANY for word in (f"--sam2.{text.partition('=')[0]}", text.partition("=")[2])]
    weights = ("--sam2.weights", str(sam2_folder()))
    main(["prepare", str(capture), str(scene), "--masks", "sam2", *weights, *chosen, *FLAGS, "--json"])


def test_masks_of_sam2_become_objects(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "s3d_splat"):
        sam2(capture, tmp_path / "scene")
    told = capsys.readouterr().out
    assert json.loads(told)["masks"] == "sam2"
    assert "are under Apache-2.0" in caplog.text
    scene = load_scene(tmp_path / "scene")
    assert scene.instances
    assert {row.class_name for row in scene.instances} == {"segment"}
    ids = np.array(Image.open(scene.frames[0].instance_path))
    assert ids.any()


def test_a_call_that_was_killed_goes_on_with_its_chunks(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole, scene = tmp_path / "whole", tmp_path / "scene"
    sam2(capture, whole)
    write, written = cluster_stages.write_id_png, []

    def dies(path: Path, ids: object) -> None:
        if len(written) == 4:  # in the second chunk of the first cluster
            raise KeyboardInterrupt
        written.append(path)
        write(path, ids)

    monkeypatch.setattr(cluster_stages, "write_id_png", dies)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        sam2(capture, scene)
    assert [path.name for path in work_folder(scene).rglob("chunk-*.json")] == ["chunk-000000.json"]
    again: list[Path] = []
    monkeypatch.setattr(cluster_stages, "write_id_png", lambda path, ids: (again.append(path), write(path, ids))[1])
    sam2(capture, scene)
    assert len(again) == 3 + 6  # the second chunk, and the other cluster
    assert [row.id for row in load_scene(scene).instances] == [row.id for row in load_scene(whole).instances]


def test_words_become_classes(capture: Path, tmp_path: Path):
    words = ("--sam3.weights", str(sam3_folder()), "--sam3.prompts", "wall", "lamp", "--sam3.track.objects", "4")
    main(["prepare", str(capture), str(tmp_path / "scene"), "--masks", "sam3", *words, *FLAGS])
    scene = load_scene(tmp_path / "scene")
    assert {entry.name for entry in scene.classes} <= {"wall", "lamp"}
    assert all(row.is_thing == (row.class_name == "lamp") for row in scene.instances)


def test_a_mistake_is_told_before_long_work(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", str(capture), str(tmp_path / "scene"), "--masks", "sam2", "--sam2.weights", str(tmp_path)])
    assert stopped.value.code == 2
    assert "has no config.json" in capsys.readouterr().err
