"""How files name objects, and the label set of the ScanNet benchmark."""

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.export.nyu40 import nyu40_id
from s3d_splat.export.objects import named_objects, safe_name, safe_word
from s3d_splat.metrics.scannet_classes import NAMES
from tests.export.fabricated import BLUE, RED, WALL, tiny_trained


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("chair", "chair_12"),
        ("Floor Mat", "floor_mat_12"),
        ("café table", "cafe_table_12"),
        ("../../etc/passwd", "etc_passwd_12"),
        ("C:\\Windows\\con", "c_windows_con_12"),
        ("a\0b\n", "a_b_12"),
        ("椅子", "object_12"),
        ("...", "object_12"),
        ("", "object_12"),
        (None, "object_12"),
        ("x" * 300, "x" * 40 + "_12"),
    ],
)
def test_names_are_safe_on_every_file_system(class_name: str | None, expected: str):
    assert safe_name(class_name, 12) == expected


def test_a_word_of_nothing_is_empty():
    assert safe_word("./-") == ""


def test_objects_are_those_that_can_be_seen():
    trained = tiny_trained()
    means, everything = trained.anchor_positions, torch.ones(len(trained.anchor_positions), dtype=torch.bool)
    wall, red, blue = named_objects(trained, means, everything)
    assert [entry.name for entry in (wall, red, blue)] == ["wall_1", "chair_2", "chair_3"]
    assert (red.class_id, red.class_name, red.is_thing, red.score) == (5, "chair", True, 0.75)
    assert red.aabb[0] == pytest.approx((-0.95, -0.35, 2.0), abs=0.05)  # the square is 0.7 wide around (-0.6, 0, 2)
    assert red.aabb[1] == pytest.approx((-0.25, 0.35, 2.0), abs=0.05)
    owner = trained.instances.child_instance.reshape(-1)
    assert [entry.id for entry in named_objects(trained, means, owner != RED)] == [WALL, BLUE]
    assert [entry.id for entry in named_objects(trained, means, everything, (BLUE,))] == [BLUE]
    with pytest.raises(S3DError, match="no object 2"):
        named_objects(trained, means, owner != RED, (RED,))


def test_the_label_set_has_the_ids_that_the_benchmark_counts():
    for id, name in NAMES.items():
        assert nyu40_id(name) == id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Floor-Mat", 20),
        ("night_stand", 32),
        ("otherprop", 40),
        ("other furniture", 39),
        ("couch", 6),
        ("TV", 25),
        ("refridgerator", 24),
        ("plant", None),
        ("", None),
        (None, None),
    ],
)
def test_names_are_found_whatever_their_case_and_joints(name: str | None, expected: int | None):
    assert nyu40_id(name) == expected
