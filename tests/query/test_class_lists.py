"""Lists of class names."""

import json
from pathlib import Path

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.query.class_lists import class_list
from s3d_splat.types import ClassInfo

KNOWN = (ClassInfo(5, "chair", True), ClassInfo(90, "wall", False), ClassInfo(7, "rug", False))


def write(folder: Path, content: str) -> str:
    path = folder / "classes.txt"
    path.write_text(content)
    return str(path)


def test_names_that_the_scene_knows_have_its_ids(tmp_path: Path) -> None:
    found = class_list(write(tmp_path, "Chair\n\n mug \nrug\nceiling\n"), KNOWN)
    assert found == (
        ClassInfo(5, "Chair", True),
        ClassInfo(91, "mug", True),
        ClassInfo(7, "rug", False),
        ClassInfo(92, "ceiling", False),
    )


def test_json_may_give_ids(tmp_path: Path) -> None:
    text = json.dumps(["chair", {"name": "mug", "id": 300}, {"name": "grass", "is_thing": False}])
    assert class_list(write(tmp_path, text), KNOWN)[1:] == (ClassInfo(300, "mug", True), ClassInfo(301, "grass", False))


def test_scannets_lists_have_nyu40_ids() -> None:
    assert [entry.id for entry in class_list("scannet10", ())] == [1, 2, 4, 5, 6, 7, 8, 9, 10, 33]
    assert class_list("scannet19", ())[0] == ClassInfo(1, "wall", False)
    assert len(class_list("scannet15", ())) == 15


def test_an_id_that_the_scene_uses_for_something_else_is_not_taken() -> None:
    """The scene's wall is 90, and its 7 is a rug: the table becomes 91."""
    assert [entry.id for entry in class_list("scannet10", KNOWN)] == [90, 2, 4, 5, 6, 91, 8, 9, 10, 33]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no class"),
        ("chair\nchair\n", "names 'chair' twice"),
        ('["chair", 3]', "holds 3"),
        ('["chair", {"id": 4}]', "holds {'id': 4}"),
        ('["chair", {"name": "mug", "id": "4"}]', "holds"),
        ('[{"name": "mug", "id": 70000}]', "id 70000"),
        ('["chair", ', "is no JSON"),
        ('{"classes": ["chair"]}', "holds no list"),
        ("Chair\nchair\n", "names 'Chair' twice"),
        ('[{"name": "mug", "id": 8}, {"name": "cup", "id": 8}]', "gives the id 8 to two classes"),
        ('[{"name": "mug", "id": 65535}, "cup"]', "needs the class id 65536"),
    ],
)
def test_a_list_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(S3DError) as error:
        class_list(write(tmp_path, content), KNOWN)
    assert message in str(error.value)


def test_a_mark_of_the_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert class_list(write(tmp_path, "\ufeffchair\nmug\n"), KNOWN)[0] == ClassInfo(5, "chair", True)
    assert class_list(write(tmp_path, '\ufeff["chair"]'), KNOWN) == (ClassInfo(5, "chair", True),)


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match=r"does not exist[^$]*scannet19"):
        class_list(str(tmp_path / "none"), KNOWN)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(S3DError, match="cannot be read"):
        class_list(str(tmp_path / "binary"), KNOWN)
