"""The scene that browsers share: edits, thresholds, new checkpoints, new runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.editing.operations import Recolour
from s3d_splat.errors import S3DError
from s3d_splat.pipeline.runs import open_trained
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.pictures import take_picture
from s3d_splat.viewer.state import ViewState
from tests.scenario.chairs import own_copy
from tests.scene_fixtures import tiny_camera

GREEN = Recolour((1,), (0.1, 0.8, 0.1))


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return own_copy(tiny_run, tmp_path)


def test_everybody_is_told_of_a_change(run: Path):
    document, told = Document(run), []
    document.on_change(lambda: told.append(len(document.steps)))
    trained = document.scene
    assert (document.can_undo, document.can_redo) == (False, False)
    document.do(GREEN)
    assert document.scene.field is not trained.field
    document.undo()
    assert document.scene.field is trained.field
    assert document.can_redo
    document.redo()
    assert told == [1, 0, 1]
    assert document.steps == [GREEN]


def test_an_edit_that_cannot_be_done_changes_nothing(run: Path):
    document = Document(run)
    before = document.scene
    with pytest.raises(S3DError, match="no object 99"):
        document.do(Recolour((99,), (0.0, 0.0, 0.0)))
    assert document.scene is before
    assert document.steps == []


def test_the_scene_is_saved_as_a_run_beside_this_one(run: Path):
    document = Document(run)
    document.do(GREEN)
    out = document.save("green")
    assert out == run.parent / "green"
    again = Document(out)
    camera = tiny_camera(2)
    saved, shown = (take_picture(one.scene, ViewState(), camera, with_ids=False) for one in (again, document))
    assert (saved.colour == shown.colour).all()
    with pytest.raises(S3DError, match="in use"):
        document.save("green")


@pytest.mark.parametrize("name", ["", "..", "../elsewhere", "/tmp/elsewhere", "a\\b", "a\0b", "c:d"])
def test_a_run_is_saved_nowhere_else(run: Path, name: str):
    with pytest.raises(S3DError, match="is no name for a run"):
        Document(run).save(name)


def test_thresholds_give_other_objects_and_the_runs_own_give_the_same(run: Path):
    document = Document(run)
    own, saved = document.run.config.instances, document.scene.instances
    same = document.regroup(own)
    assert torch.equal(same.child_instance, saved.child_instance)
    larger = replace(own.relift, min_size=100_000, persistence=1.05)
    fewer = document.regroup(replace(own, relift=larger))
    assert len(fewer.instance_id) < len(saved.instance_id)
    assert document.scene.instances is fewer
    assert document.is_regrouped


def test_thresholds_are_refused_after_an_edit(run: Path):
    document = Document(run)
    document.do(GREEN)
    with pytest.raises(S3DError, match="has been edited"):
        document.regroup(document.run.config.instances)


def test_a_run_in_training_is_shown_without_objects_and_followed(run: Path):
    objects = (run / "instances.npz").read_bytes()
    (run / "instances.npz").unlink()
    document = Document(run)
    assert not document.scene.has_objects
    assert take_picture(document.scene, ViewState(), tiny_camera(2), with_ids=False).colour.std() > 5
    assert not document.reload_if_new()
    newest = max((run / "checkpoints").glob("step-*.pt"), key=lambda path: int(path.stem[5:]))
    shutil.copy(newest, run / "checkpoints" / "step-999.pt")
    assert document.reload_if_new()
    assert not document.scene.has_objects
    (run / "instances.npz").write_bytes(objects)
    assert document.reload_if_new()
    assert document.scene.has_objects
    document.do(GREEN)
    shutil.copy(newest, run / "checkpoints" / "step-1000.pt")
    assert not document.reload_if_new()  # edits are never thrown away


def test_a_run_without_a_checkpoint_says_how_to_go_on(run: Path):
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(S3DError, match="has no checkpoint") as error:
        Document(run)
    assert "--resume" in error.value.fix


def test_nothing_is_written_into_the_run(run: Path):
    files = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    document = Document(run)
    document.do(GREEN)
    document.undo()
    document.regroup(document.run.config.instances)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == files
    assert open_trained(run).field.anchor_count == document.run.field.anchor_count


def test_objects_of_other_thresholds_are_saved_before_they_are_edited(run: Path) -> None:
    document = Document(run)
    own = document.run.config.instances
    other = replace(own, relift=replace(own.relift, min_size=own.relift.min_size + 1))
    found = document.regroup(other)
    with pytest.raises(S3DError, match="these objects are in no run yet"):
        document.do(Recolour((int(found.instance_id[0]),), (1.0, 0.0, 0.0)))
    saved = open_trained(document.save("it's regrouped"))
    assert saved.config.instances == other
    assert not (saved.folder.root / "edits.json").exists()
    document.regroup(own)
    document.do(Recolour((int(document.scene.instances.instance_id[0]),), (1.0, 0.0, 0.0)))
    edited = Document(document.save("coloured"))
    with pytest.raises(S3DError, match="was edited: it cannot be aggregated"):
        edited.regroup(other)
