"""Steps in words and in files."""

import json
from pathlib import Path

import pytest

from s3d_splat.editing.operations import Duplicate, Extract, Move, Recolour, Remove, Rotate, Scale
from s3d_splat.editing.store import Edits, read_edits, write_edits
from s3d_splat.editing.words import read_step
from s3d_splat.errors import S3DError

STEPS = (
    Remove((12, 13)),
    Remove((4,), fill=False),
    Extract((1, 2)),
    Recolour((3,), (1.0, 0.0, 0.5), 0.25),
    Move((7,), (0.5, 0.0, -1.0)),
    Rotate((7,), (0.0, 1.0, 0.0), 90.0),
    Scale((7,), 2.0),
    Duplicate((7,), (1.0, 0.0, 0.0)),
)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("remove 12 13", Remove((12, 13))),
        ("Remove 12 unfilled", Remove((12,), fill=False)),
        ("extract 1 2", Extract((1, 2))),
        ("recolour 3 to red", Recolour((3,), (1.0, 0.0, 0.0))),
        ("recolor 3 to #00ff00 strength 0.5", Recolour((3,), (0.0, 1.0, 0.0), 0.5)),
        ("recolour 3 to 0.1 0.2 0.3", Recolour((3,), (0.1, 0.2, 0.3))),
        ("move 7 8 by 0.5 -1 0", Move((7, 8), (0.5, -1.0, 0.0))),
        ("rotate 7 by -90", Rotate((7,), (0.0, 0.0, 1.0), -90.0)),
        ("rotate 7 by 30 about 0 1 0", Rotate((7,), (0.0, 1.0, 0.0), 30.0)),
        ("scale 7 by 1.5", Scale((7,), 1.5)),
        ("duplicate 7 by 1 0 0", Duplicate((7,), (1.0, 0.0, 0.0))),
    ],
)
def test_words(text, step):
    assert read_step(text) == step


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "none of the forms"),
        ("explode 3", "none of the forms"),
        ("remove 3 by 1 2 3", "none of the forms"),
        ("move 7 by 1 2", "2 numbers where 3 belong"),
        ("move 7 by a b c", "could not convert"),
        ("move the chair by 1 2 3", "'the' is no id"),
        ("recolour 7 to blurple", "'blurple' is no colour"),
        ("scale 7 by", "0 numbers where 1 belong"),
    ],
)
def test_words_that_say_no_edit(text, why):
    with pytest.raises(S3DError) as caught:
        read_step(text)
    assert why in caught.value.why
    assert "remove IDS" in caught.value.fix


def test_steps_are_written_and_read(tmp_path: Path):
    path = tmp_path / "edits.json"
    write_edits(path, Edits("/somewhere/run", STEPS))
    assert read_edits(path) == Edits("/somewhere/run", STEPS)
    assert json.loads(path.read_text())["steps"][4] == {"operation": "move", "ids": [7], "by": [0.5, 0.0, -1.0]}


def test_a_list_by_hand_may_leave_out_what_has_a_default(tmp_path: Path):
    path = tmp_path / "edits.json"
    path.write_text('{"steps": [{"operation": "remove", "ids": [1]}, {"operation": "scale", "ids": [2], "factor": 2}]}')
    assert read_edits(path) == Edits("", (Remove((1,)), Scale((2,), 2.0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no list of steps"),
        ('{"steps": 3}', "no list of steps"),
        ('{"format_version": 9, "steps": []}', "format version 9"),
        ('{"source": 3, "steps": []}', "source is no path"),
        ('{"steps": [{"operation": "explode", "ids": [1]}]}', "step 1 is none of the operations"),
        ('{"steps": [3]}', "step 1 is none of the operations"),
        ('{"steps": [{"operation": "remove"}]}', r"step 1 \(remove\)"),
        ('{"steps": [{"operation": "remove", "ids": ["a"]}]}', r"step 1 \(remove\)"),
        ('{"steps": [{"operation": "scale", "ids": [1], "factor": "2"}]}', "'2' is no number"),
        ('{"steps": [{"operation": "scale", "ids": [1], "factor": 2, "more": 1}]}', r"step 1 \(scale\)"),
        ('{"steps": [{"operation": "move", "ids": [1], "by": [1, 2]}]}', r"step 1 \(move\)"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "edits.json"
    path.write_text(text)
    with pytest.raises(S3DError, match=message):
        read_edits(path)


def test_files_that_are_no_json_are_refused(tmp_path: Path):
    path = tmp_path / "edits.json"
    path.write_text("{")
    with pytest.raises(S3DError, match=r"edits\.json"):
        read_edits(path)
    with pytest.raises(S3DError, match=r"edits\.json"):
        read_edits(tmp_path / "none" / "edits.json")
