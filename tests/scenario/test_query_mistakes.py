"""What a user gets wrong with `s3d-splat query`: said at once, before an encoder is loaded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.cli import main
from tests.scenario.chairs import edit_instances, instances_of, knows_colours, own_copy
from tests.scenario.test_user_errors import refused


@pytest.fixture(autouse=True)
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(options: object) -> None:
        raise AssertionError("an encoder was made")

    monkeypatch.setattr("s3d_splat.ask.run.make_text_encoder", never)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "a query needs a text or --labels, and not both"),
        (["chair", "--labels", "scannet19"], "a query needs a text or --labels, and not both"),
        (["chair", "--top", "0"], "--top 0 and --threshold 0.0 leave nothing to find"),
        (["chair", "--threshold", "1.5"], "--top 5 and --threshold 1.5 leave nothing to find"),
        (["chair", "--threshold", "nan"], "--top 5 and --threshold nan leave nothing to find"),
        (["a chair", "the mug on the"], "the question breaks off after 'the mug on'"),
        (["a chair", "the one to the left of"], "the question breaks off after 'the one to the left of'"),
        (["a chair", "?!"], "the question '?!' names nothing"),
        (["a chair", ""], "the question '' names nothing"),
        (["a chair which is not red"], "says what is not so"),
        (["a chair"], "run.json"),
        (["--labels", "scannet19"], "run.json"),
    ],
)
def test_what_asks_nothing_is_refused_before_a_run_is_opened(
    arguments: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused(["query", str(tmp_path / "nowhere"), *arguments], [what], capsys)


def test_a_run_that_is_not_trained(trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = own_copy(trained_tiny, tmp_path)
    shutil.rmtree(run / "checkpoints")
    for arguments in (["a chair"], ["--labels", "scannet19"]):
        refused(["query", str(run), *arguments], [f"{run} has no checkpoint", "--resume"], capsys)


def test_objects_of_another_step(trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = own_copy(trained_tiny, tmp_path)
    found = instances_of(run)
    edit_instances(run, anchor_instance=found["anchor_instance"][:-3], child_instance=found["child_instance"][:-3])
    count = len(found["anchor_instance"])
    for command in (["query", str(run), "a chair"], ["render", str(run)], ["evaluate", "run", str(run)]):
        refused(command, [f"has {count - 3} anchors, the checkpoint has {count}", f"s3d-splat aggregate {run}"], capsys)


def test_a_run_without_objects(trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = own_copy(trained_tiny, tmp_path)
    edit_instances(run, child_instance=np.zeros_like(instances_of(run)["child_instance"]))
    for arguments in (["a chair"], ["--labels", "scannet19"]):
        refused(["query", str(run), *arguments], [f"{run} has no objects", f"s3d-splat aggregate {run}"], capsys)
    (run / "instances.npz").unlink()
    refused(["query", str(run), "a chair"], ["instances.npz does not exist", "s3d-splat aggregate"], capsys)
    assert not (run / "queries").exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "labels.txt does not exist"),
        ("\n \n", "labels.txt holds no class"),
        ("chair\nwall\nchair\n", "labels.txt names 'chair' twice"),
        ("[1, 2]", "labels.txt holds 1"),
        ("[", "labels.txt is no JSON"),
    ],
)
def test_labels_that_cannot_be_read(
    content: str | None, what: str, trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    if content is not None:
        (tmp_path / "labels.txt").write_text(content)
    refused(["query", str(trained_tiny), "--labels", str(tmp_path / "labels.txt")], [what, "one name a line"], capsys)


def test_searches_that_cannot_be(
    trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    knows_colours(monkeypatch)
    run = own_copy(trained_tiny, tmp_path)
    refused(["query", str(run), "a chair", "--search.templates", "a photo"], ["the templates are ['a photo']"], capsys)
    refused(["query", str(run), "a chair", "--search.negatives"], ["there are no negatives"], capsys)


def test_a_mistake_is_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["query", str(tmp_path), "a chair", "--json"])
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.out == ""
    with pytest.raises(json.JSONDecodeError):
        json.loads(printed.err)
