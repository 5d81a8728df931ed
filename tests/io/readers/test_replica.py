"""Replica in the two layouts that its renders come in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.readers.label_images import class_votes
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.types import Capture
from tests.io.readers.layouts import write_replica, write_replica_semantic
from tests.scene_fixtures import FRAMES


def read(folder: Path) -> Capture:
    return read_capture(folder, folder.with_name("work"))


def test_depth_in_its_own_counts(tmp_path: Path) -> None:
    write_replica(tmp_path / "c")
    capture = read(tmp_path / "c")
    assert capture.names[0] == "frame000000.jpg"
    assert capture.clusters[0].views[0].depth_scale == 1 / 6553.5


def test_frames_that_were_taken_out_keep_their_poses(tmp_path: Path) -> None:
    """The number of a frame is the line of its pose."""
    write_replica(tmp_path / "c")
    whole = {view.name: view.T_cluster_camera for view in read(tmp_path / "c").clusters[0].views}
    (tmp_path / "c/results/frame000001.jpg").unlink()
    (tmp_path / "c/results/depth000002.png").unlink()
    views = read(tmp_path / "c").clusters[0].views
    assert len(views) == FRAMES - 1
    for view in views:
        pose = whole[view.name]
        assert view.T_cluster_camera is not None
        assert pose is not None
        assert view.T_cluster_camera.tolist() == pose.tolist()
    assert [view.depth_path is None for view in views] == [False, True, False, False, False]


def test_poses_that_do_not_fit(tmp_path: Path) -> None:
    write_replica(tmp_path / "c")
    path = tmp_path / "c/traj.txt"
    lines = path.read_text().splitlines()
    for text, message in (
        ("\n".join(lines[:3]), r"frame000003\.jpg has no pose"),
        ("1 2 3\n", "is no list of poses"),
        ("up down\n", "cannot be read as numbers"),
        ("\n".join(["1 " * 16, *lines[1:]]), r"line 1: the pose \(camera to world\) is not rigid"),
    ):
        path.write_text(text)
        with pytest.raises(S3DError, match=message):
            read(tmp_path / "c")


def test_cameras_that_do_not_fit(tmp_path: Path) -> None:
    write_replica(tmp_path / "c")
    path = tmp_path / "cam_params.json"
    good = json.loads(path.read_text())
    for key, value, message in (
        ("scale", 0, "scale is 0"),
        ("fx", "wide", "fx is 'wide'"),
        ("w", 40, "but the camera is 40x24"),
    ):
        path.write_text(json.dumps({"camera": good["camera"] | {key: value}}))
        with pytest.raises(S3DError, match=message):
            read(tmp_path / "c")
    path.write_text("{}")
    with pytest.raises(S3DError, match="is not known"):
        read(tmp_path / "c")
    path.unlink()
    with pytest.raises(S3DError, match=r"is not known(.|\n)*images are 32x24"):
        read(tmp_path / "c")


def test_published_camera(tmp_path: Path) -> None:
    write_image(tmp_path / "c/results/frame000000.jpg", np.zeros((680, 1200, 3), dtype=np.uint8))
    np.savetxt(tmp_path / "c/traj.txt", np.eye(4).reshape(1, 16))
    lens = read(tmp_path / "c").clusters[0].views[0].lens
    assert lens is not None
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (600, 600, 600, 340)  # the middle of 1200x680


def test_classes_of_the_renders(tmp_path: Path) -> None:
    write_replica_semantic(tmp_path / "c")
    rows = [(row.id, row.class_id, row.class_name, row.is_thing) for row in read(tmp_path / "c").clusters[0].instances]
    assert rows == [(1, 1, "wall", False), (2, 5, "chair", True), (3, 5, "chair", True)]


def test_classes_of_the_objects_where_no_class_is_rendered(tmp_path: Path) -> None:
    """-1 means that nobody knows; without the table, ids are objects."""
    write_replica_semantic(tmp_path / "c")
    shutil.rmtree(tmp_path / "c/semantic_class")
    rows = [(row.id, row.class_id, row.class_name) for row in read(tmp_path / "c").clusters[0].instances]
    assert rows == [(1, 1, "wall"), (2, 5, "chair"), (3, 0, "object")]
    path = tmp_path / "c/info_semantic.json"
    path.write_text('{"classes": [{"id": 1}]}')
    with pytest.raises(S3DError, match="is no table of classes of Replica"):
        read(tmp_path / "c")
    path.unlink()
    assert {row.class_name for row in read(tmp_path / "c").clusters[0].instances} == {"object"}


@pytest.mark.parametrize("place", ["room_0", "room_0/habitat", "semantic_info/room_0"])
def test_where_the_names_are_kept(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "Replica/room_0/Sequence_1"
    write_replica_semantic(folder)
    (tmp_path / "Replica" / place).mkdir(parents=True, exist_ok=True)
    shutil.move(folder / "info_semantic.json", tmp_path / "Replica" / place / "info_semantic.json")
    assert {row.class_name for row in read(folder).clusters[0].instances} == {"wall", "chair"}


def test_an_instance_is_of_the_class_of_most_of_its_pixels(tmp_path: Path) -> None:
    """Instance 7: three pixels of class 2, two of 9, four of none. Instance 8: as many of 4 as of 3. 9: of none."""
    ids = np.array([[7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 9, 0]], dtype=np.uint16)
    classes = np.array([[2, 2, 2, 9, 9, 0, 0, 0, 0, 4, 3, 0, 5]], dtype=np.uint16)
    write_image(tmp_path / "ids.png", ids)
    write_image(tmp_path / "classes.png", classes)
    assert class_votes([(tmp_path / "ids.png", tmp_path / "classes.png")]) == {7: 2, 8: 3, 9: 0}


def test_a_name_without_a_number(tmp_path: Path) -> None:
    write_replica_semantic(tmp_path / "c")
    (tmp_path / "c/rgb/rgb_0.png").rename(tmp_path / "c/rgb/first.png")
    with pytest.raises(S3DError, match=r"first\.png ends in no number"):
        read(tmp_path / "c")
