"""A folder that is written as a whole."""

from pathlib import Path

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.export.folder import replacing_folder


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_new_content_takes_the_place_of_the_old(tmp_path: Path):
    for text in ("first", "second"):
        with replacing_folder(tmp_path / "deep" / "out") as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / text).write_text(text)
    assert content(tmp_path) == {"deep/out/inner/second": "second"}


def test_what_fails_leaves_the_old(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(S3DError, match="cannot write"), replacing_folder(tmp_path / "out") as folder:
        (folder / "new").write_text((tmp_path / "nowhere").read_text())
    assert content(tmp_path) == {"out/old": "old"}


def test_the_folder_itself_stays_and_links_in_it_are_not_followed(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis").write_text("years")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "out").stat().st_ino
    with replacing_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("new")
    assert (tmp_path / "out").stat().st_ino == before
    assert content(tmp_path) == {"out/new": "new", "elsewhere/thesis": "years"}
