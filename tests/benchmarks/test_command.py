"""The command's own checks and what it leaves behind."""

import json
from pathlib import Path

import pytest

from benchmarks.instances import __main__ as command
from benchmarks.instances.questions import TUNING
from benchmarks.instances.table import COLUMNS
from s3d_splat.errors import S3DError


def test_the_kitchen_is_asked_for_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_grid", lambda *_: pytest.fail("work has begun"))
    with pytest.raises(S3DError, match="--data"):
        command.main(command.Options("all", tmp_path))
    with pytest.raises(S3DError, match="is no folder"):
        command.main(command.Options("kitchen", tmp_path, data=tmp_path))


def test_rows_must_exist(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match=r"(?s)no row is left.*mask graph.*clean"):
        command.main(command.Options("alternatives", tmp_path, masks=("rain",)))


def test_a_part_of_a_table_is_not_kept_as_the_whole(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="--write keeps whole tables"):
        command.main(command.Options("clean+faults", tmp_path, masks=("clean",), write=True))


def test_tables_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    run = dict.fromkeys(COLUMNS, 0.5) | {"objects_predicted": 1, "objects_true": 2}
    monkeypatch.setattr(command, "run_grid", lambda cells, *_: {cell.result: run for cell in cells})
    monkeypatch.setattr(command, "RESULTS", tmp_path / "all.json")
    monkeypatch.setattr(command, "TUNING", {"codebook": TUNING["codebook"]})
    command.main(command.Options("clean+faults", tmp_path, seeds=(0,), write=True))
    command.main(command.Options("tune", tmp_path, seeds=(0,), write=True))
    printed = capsys.readouterr().out
    assert (tmp_path / "clean+faults.md").read_text() in printed
    assert (tmp_path / "tune.md").read_text() in printed
    kept = json.loads((tmp_path / "all.json").read_text())
    assert list(kept) == ["clean+faults", "tune"]
    assert [row["faults"] for row in kept["clean+faults"]["rows"]][:2] == ["clean", "drop"]
    assert kept["clean+faults"]["settings"]["preset"] == "fast"
    assert len(kept["tune"]["rows"]) == 12
