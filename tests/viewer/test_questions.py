"""Questions to a run that is being edited."""

from pathlib import Path

import pytest

from s3d_splat.ask.run import LateSearch
from s3d_splat.editing.operations import Remove
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.questions import Questions
from tests.scenario.chairs import knows_colours, own_copy


def test_what_has_been_removed_is_found_no_longer(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knows_colours(monkeypatch)
    document = Document(own_copy(tiny_run, tmp_path))
    questions = Questions(document, lambda: LateSearch(TextOptions(), PictureOptions()), QueryOptions())
    (hit,) = questions.ask("red chair").hits
    document.do(Remove((hit.id,), fill=False))
    answer = questions.ask("red chair")
    assert answer.hits == ()
    assert answer.note == "what was found has been removed"
    assert "asked of what is saved" in answer.understood
    document.undo()
    assert questions.ask("red chair").hits == (hit,)
