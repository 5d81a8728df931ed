"""Shelf bins: rotated bits, names from the header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_counts
from s3d_splat.io.readers.apc_shelf import ApcShelfReader, plain_counts
from s3d_splat.types import Capture
from tests.io.readers.layouts import write_apc_shelf


def read(folder: Path) -> Capture:
    return ApcShelfReader().read(folder, folder.with_name("work"))


def test_rotated_bits() -> None:
    """1 m = 10,000 = 0b0010011100010000, rotated left by three 0b0011100010000001 = 14465; every value comes back."""
    assert plain_counts(np.array([[14465]], dtype=np.uint16)).tolist() == [[10000]]
    everything = np.arange(65536, dtype=np.uint16)[None]
    rotated = (everything << np.uint16(3)) | (everything >> np.uint16(13))
    assert np.array_equal(plain_counts(rotated), everything)


def test_names_follow_the_alphabet(tmp_path: Path) -> None:
    write_apc_shelf(tmp_path / "c")
    capture = read(tmp_path / "c")
    rows = [(row.id, row.name, row.class_name, row.class_id, row.is_thing) for row in capture.clusters[0].instances]
    assert rows == [
        (6, "a_wall", "a_wall", 1, True),
        (12, "box", "box", 2, True),
        (18, "cup", "cup", 3, True),
    ]
    assert [row.name for row in capture.classes] == ["a_wall", "box", "cup"]


@pytest.mark.parametrize("header", ['# Objects: ["box","cup"]', "# Objects: [box]", "# nothing"])
def test_names_that_do_not_fit_are_not_used(tmp_path: Path, header: str) -> None:
    write_apc_shelf(tmp_path / "c")
    path = tmp_path / "c/cam.info.txt"
    path.write_text("\n".join([header, *path.read_text().splitlines()[1:]]))
    capture = read(tmp_path / "c")
    assert {(row.class_id, row.class_name, row.name) for row in capture.clusters[0].instances} == {(1, "object", None)}
    assert [row.name for row in capture.classes] == ["object"]


def test_a_frame_is_not_taken_for_one_whose_name_goes_on(tmp_path: Path) -> None:
    """frame-00000 has no pose of its own: that of frame-000000 is another's."""
    write_apc_shelf(tmp_path / "c")
    (tmp_path / "c/frame-000000.color.png").rename(tmp_path / "c/frame-00000.color.png")
    with pytest.raises(S3DError, match="lacks 'camera-to-world for frame-00000'"):
        read(tmp_path / "c")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# Color camera intrinsic matrix", "# Camera", "lacks 'color camera intrinsic'"),
        ("28 0 16.0", "0 0 16.0", "focal length 0.0"),
        ("28 0 16.0", "28 zero 16.0", "line 4 is no row of numbers"),
        ("28 0 16.0", "28 0", "uneven rows"),
        ("0 0 1\n\n", "\n", "no 3x3 matrix"),
        ("pose) for frame-000002", "pose) for frame-000009", "lacks 'camera-to-world for frame-000002'"),
        ("1.0 0.0 0.0 -0.25", "2.0 0.0 0.0 -0.25", "frame-000000.color.png: the pose .* is not rigid"),
    ],
)
def test_the_cameras_are_checked(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_apc_shelf(tmp_path / "c")
    path = tmp_path / "c/cam.info.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(S3DError, match=message):
        read(tmp_path / "c")


def test_the_shelf(real_data: Path, tmp_path: Path) -> None:
    capture = ApcShelfReader().read(real_data / "apc_shelf", tmp_path)
    assert len(capture.names) == 15
    (cluster,) = capture.clusters
    assert [row.id for row in cluster.instances] == [48, 114, 132, 144]
    assert cluster.instances[2].name == "kleenex_tissue_box"
    for view in cluster.views:
        assert view.depth_path is not None
        metres = read_counts(view.depth_path, "depth", where=view.name) * view.depth_scale
        assert 0.3 < np.median(metres[metres > 0]) < 1.5
