"""`s3d-splat query --labels`: every object named, and the test views measured like those of a run."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.cli import main
from tests.scenario.chairs import ColourWords, asked, edit_instances, instances_of, knows_colours, own_copy


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> ColourWords:
    return knows_colours(monkeypatch)


@pytest.fixture(scope="module")
def evaluated(trained_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = own_copy(trained_tiny, tmp_path_factory.mktemp("labels"))
    main(["evaluate", "run", str(run)])
    return run


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("chair\nwall\n")
    return tmp_path / "labels.txt"


def measured(pred: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    main(["evaluate", "panoptic", "--pred", str(pred), "--truth", str(run / "eval/truth"), "--protocol", "scene", "--json"])
    return json.loads(capsys.readouterr().out)


def ids(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_labels_by_looks_are_as_good_as_those_of_the_masks(
    evaluated: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    found = asked(capsys, evaluated, "--labels", labels, "--out", tmp_path / "out")
    assert found["classes"] == ["chair", "wall"]
    assert sorted(row["class"] for row in found["objects"]) == ["chair", "chair", "wall"]
    assert {round(row["cosine"], 5) for row in found["objects"]} == {1.0, round(0.5**0.5, 5)}
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == [
        {"id": 5, "name": "chair", "is_thing": True},  # as the scene has them
        {"id": 1, "name": "wall", "is_thing": False},
    ]
    own, given = measured(tmp_path / "out", evaluated, capsys), measured(evaluated / "renders/test", evaluated, capsys)
    assert own["pq"] > 0.6
    for name in ("pq", "sq", "rq", "pq_strict", "pq_th", "pq_st"):
        assert own[name] == given[name]
    for kind in ("instances", "semantics"):
        assert np.array_equal(ids(tmp_path / "out" / kind / "0003.png"), ids(evaluated / "renders/test" / kind / "0003.png"))


def test_wrong_names_are_worth_nothing(
    evaluated: Path,
    labels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    encoder: ColourWords,
    monkeypatch: pytest.MonkeyPatch,
):
    swapped = {"a chair": "a wall", "chair": "wall", "wall": "chair"}
    right = encoder.axes
    monkeypatch.setattr(encoder, "axes", lambda text: right(" ".join(swapped.get(w, w) for w in text.rstrip(".").split())))
    found = asked(capsys, evaluated, "--labels", labels, "--out", tmp_path / "out")
    assert sorted(row["class"] for row in found["objects"]) == ["chair", "wall", "wall"]
    assert measured(tmp_path / "out", evaluated, capsys)["pq"] == 0


def test_classes_that_the_scene_does_not_know_get_ids_of_their_own(
    evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    names = tmp_path / "labels.json"
    names.write_text(json.dumps(["wall", {"name": "red", "id": 40}, {"name": "blue", "is_thing": False}]))
    found = asked(capsys, evaluated, "--labels", names, "--out", tmp_path / "out")
    assert sorted(row["class"] for row in found["objects"]) == ["blue", "red", "wall"]
    of_object = {row["id"]: {"wall": 1, "red": 40, "blue": 41}[row["class"]] for row in found["objects"]}
    semantics, instances = (ids(tmp_path / "out" / kind / "0003.png") for kind in ("semantics", "instances"))
    for id, class_id in of_object.items():
        shown = instances == id
        assert shown.sum() > 40
        assert (semantics[shown] == class_id).all()
    stuff = {entry["id"] for entry in json.loads((tmp_path / "out/classes.json").read_text()) if not entry["is_thing"]}
    assert stuff == {1, 41}


def test_an_object_that_no_view_shows_has_no_class(
    evaluated: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = own_copy(evaluated, tmp_path)
    arrays = instances_of(run)
    child = arrays["child_instance"].copy()
    child[tuple(np.argwhere(child == arrays["instance_id"][2])[0])] = 9  # a single Gaussian
    grown = {name: np.concatenate((values, values[-1:])) for name, values in arrays.items() if len(values) == 3}
    grown["instance_id"][-1] = 9
    edit_instances(run, **grown, child_instance=child)
    found = asked(capsys, run, "--labels", labels)
    assert found["out"] == str(run / "labels")
    assert [row for row in found["objects"] if row["id"] == 9] == [{"id": 9, "class": None, "cosine": 0.0}]
    assert [row["class"] is None for row in found["objects"]].count(True) == 1
    capsys.readouterr()
    main(["query", str(run), "--labels", str(labels)])
    printed = capsys.readouterr().out
    assert f"labels of the test views: {run / 'labels'}" in printed
    then = f"s3d-splat evaluate panoptic --pred {run / 'labels'} --truth {run / 'eval' / 'truth'}"
    assert f"next: s3d-splat evaluate run {run}; {then}" in printed  # the copy has not been evaluated
    (run / "eval" / "truth").mkdir(parents=True)
    main(["query", str(run), "--labels", str(labels)])
    assert f"next: {then}" in capsys.readouterr().out
    assert "None" not in printed
    semantics, instances = (ids(run / "labels" / kind / "0003.png") for kind in ("semantics", "instances"))
    assert set(semantics[instances == 9].tolist()) <= {0}


def test_questions_and_labels_share_vectors(
    evaluated: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoder: ColourWords
):
    run = own_copy(evaluated, tmp_path)
    asked(capsys, run, "red chair")
    count = len(encoder.shown)
    assert count > 0
    asked(capsys, run, "--labels", labels)
    assert len(encoder.shown) == count
    asked(capsys, run, "--labels", labels, "--again")
    assert len(encoder.shown) == 2 * count
