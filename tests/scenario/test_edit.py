"""`s3d-splat edit` on a tiny trained run: a run of its own that every command opens, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.cli import main
from tests.scenario.chairs import asked, instances_of, knows_colours, own_copy
from tests.scene_fixtures import COLOUR_OF_INSTANCE


@pytest.fixture(scope="module")
def run(trained_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_copy(trained_tiny, tmp_path_factory.mktemp("edit"))


@pytest.fixture(scope="module")
def chair(run: Path) -> int:
    """The id of the red one, the chair further to the left."""
    table = instances_of(run)
    things = np.flatnonzero(table["is_thing"])
    left = things[table["aabb"][things].mean(1)[:, 0].argmin()]
    return int(table["instance_id"][left])


@pytest.fixture(scope="module")
def edited(run: Path, chair: int) -> Path:
    out = run.parent / "edited"
    main(["edit", str(run), f"recolour {chair} to lime", f"duplicate {chair} by 0 0 1.5", "--out", str(out)])
    return out


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr().err
    assert caught.value.code == 2, printed
    assert "Traceback" not in printed
    return printed


def picture(run: Path, kind: str = "colour") -> np.ndarray:
    main(["render", str(run)])
    (path,) = (run / "renders" / "test" / kind).iterdir()
    return np.asarray(Image.open(path)).astype(int)


def test_objects_are_listed_without_a_step(run: Path, chair: int, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    main(["edit", str(run), "--json"])
    rows = json.loads(capsys.readouterr().out)["objects"]
    assert [row["id"] for row in rows] == instances_of(run)["instance_id"].tolist()
    assert next(row for row in rows if row["id"] == chair)["position"] == pytest.approx([-0.6, 0.0, 2.0], abs=0.15)
    main(["edit", str(run)])
    assert "chair" in capsys.readouterr().out


def test_an_edited_run_is_a_run(run: Path, edited: Path, chair: int):
    before, table = instances_of(run), instances_of(edited)
    copy = int(before["instance_id"].max()) + 1
    assert table["instance_id"].tolist() == [*before["instance_id"].tolist(), copy]
    steps = json.loads((edited / "edits.json").read_text())
    assert steps["source"] == str(run.absolute())
    assert [step["operation"] for step in steps["steps"]] == ["recolour", "duplicate"]
    assert json.loads((edited / "run.json").read_text())["scene"] == json.loads((run / "run.json").read_text())["scene"]


def test_it_renders_what_was_edited(run: Path, edited: Path, chair: int):
    then, now = picture(run), picture(edited)
    shown = picture(run, "instances") == chair
    red, lime = COLOUR_OF_INSTANCE[2].numpy(), np.array([0, 255, 0])
    assert np.abs(then[shown] - red).sum(1).mean() < 150
    assert np.abs(now[shown] - lime).sum(1).mean() < 150
    away = ~np.asarray(Image.fromarray(shown).resize(shown.shape[::-1])) & (np.arange(shown.shape[1]) > 18)
    assert np.abs(now - then)[away].mean() < 3


def test_the_same_steps_give_the_same_run(run: Path, edited: Path, tmp_path: Path):
    again = tmp_path / "again"
    main(["edit", str(run), "--steps", str(edited / "edits.json"), "--out", str(again)])
    for name in ("instance_id", "child_instance", "aabb"):
        assert np.array_equal(instances_of(again)[name], instances_of(edited)[name])
    assert np.array_equal(picture(again), picture(edited))


def test_edits_of_an_edit_are_listed_after_those_before(run: Path, edited: Path, chair: int, tmp_path: Path):
    further = tmp_path / "further"
    main(["edit", str(edited), f"remove {chair}", "--out", str(further), "--json"])
    steps = json.loads((further / "edits.json").read_text())
    assert steps["source"] == str(run.absolute())
    assert [step["operation"] for step in steps["steps"]] == ["recolour", "duplicate", "remove"]
    assert chair not in instances_of(further)["instance_id"]
    assert len(instances_of(further)["anchor_instance"]) <= len(instances_of(edited)["anchor_instance"]) + 200


def test_it_is_measured_with_a_word_of_warning(edited: Path, caplog: pytest.LogCaptureFixture):
    main(["evaluate", "run", str(edited)])
    assert "compare it with the scene before the edits" in caplog.text
    assert json.loads((edited / "metrics.json").read_text())["psnr"] > 5


def test_it_is_asked_by_its_own_pictures(
    edited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
):
    encoder = knows_colours(monkeypatch)
    (answer,) = asked(capsys, edited, "a chair")["answers"]
    assert len(answer["hits"]) >= 1
    shown = [picture for picture in encoder.shown if (picture.float().mean((0, 1)).argmax() == 1)]
    assert shown, "the photographs show no lime chair"


def test_neither_trained_nor_aggregated_again(run: Path, edited: Path, capsys: pytest.CaptureFixture[str]):
    scene = json.loads((run / "run.json").read_text())["scene"]
    for words in (("train", scene, edited, "--resume"), ("aggregate", edited)):
        printed = failing(capsys, *words)
        assert f"{edited} was edited" in printed
        assert "--steps" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("remove 99", "--out", "OUT"), "there is no object 99 to remove"),
        (("remove CHAIR",), "an edit needs --out"),
        (("remove CHAIR", "move CHAIR by 1 0 0", "--out", "OUT"), "to move"),
        (("scale CHAIR by 0", "--out", "OUT"), "scale with 0 makes no sense"),
        (("paint CHAIR", "--out", "OUT"), "is no edit"),
        (("--out", "OUT"), "--out was given without a step"),
        (("--steps", "none.json", "--out", "OUT"), "none.json"),
        (("remove CHAIR", "--out", "RUN"), "is in use"),
    ],
)
def test_mistakes(run: Path, chair: int, tmp_path: Path, words, message, capsys: pytest.CaptureFixture[str]):
    places = {"OUT": str(tmp_path / "out"), "RUN": str(run), "CHAIR": str(chair)}
    filled = []
    for word in words:
        for name, value in places.items():
            word = word.replace(name, value)
        filled.append(word)
    assert message in failing(capsys, "edit", run, *filled)
    assert not (tmp_path / "out").exists()


def test_removing_everything_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ids = " ".join(map(str, instances_of(run)["instance_id"]))
    assert "nothing would be left" in failing(capsys, "edit", run, f"remove {ids}", "--out", tmp_path / "out")


def test_a_damaged_list_of_edits_is_refused(edited: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    broken = tmp_path / "edits.json"
    broken.write_text((edited / "edits.json").read_text()[:-20])
    assert "edits.json" in failing(capsys, "edit", edited, "--steps", broken, "--out", tmp_path / "out")
