"""nerfstudio folders and scene folders as captures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.readers.nerfstudio import NerfstudioReader
from s3d_splat.types import Capture
from tests.scene_fixtures import CLASSES, FRAMES, INSTANCES, write_tiny_scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_scene(tmp_path / "scene", truth=True)


def read(folder: Path) -> Capture:
    return NerfstudioReader().read(folder, folder.with_name("work"))


def change(folder: Path, edit: Any) -> None:
    path = folder / "transforms.json"
    meta = json.loads(path.read_text())
    edit(meta)
    path.write_text(json.dumps(meta))


def test_a_scene_folder_is_kept_whole(folder: Path) -> None:
    capture = read(folder)
    assert capture.names == tuple(f"{index:04d}.png" for index in range(FRAMES))
    (cluster,) = capture.clusters
    assert [view.split for view in cluster.views] == ["train"] * 3 + ["test"] + ["train"] * 2
    assert cluster.instances == INSTANCES
    assert capture.classes == CLASSES
    assert capture.points is not None
    assert len(capture.points.points) == 5 * 32 * 24
    assert capture.truth == folder / "truth"
    assert not folder.with_name("work").exists()


def test_without_splits_none_is_invented(folder: Path) -> None:
    def edit(meta: dict[str, Any]) -> None:
        for row in meta["frames"]:
            del row["split"]
        for split in ("train", "val", "test"):
            del meta[f"{split}_filenames"]

    change(folder, edit)
    assert {view.split for view in read(folder).clusters[0].views} == {None}


def test_frames_without_image_are_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "images/0001.png").unlink()
    (folder / "images/0004.png").unlink()
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        capture = read(folder)
    assert capture.names == ("0000.png", "0002.png", "0003.png", "0005.png")
    assert "2 of 6 frames are left out" in caplog.text
    assert "images/0001.png" in caplog.text


def test_all_images_missing(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()
    with pytest.raises(S3DError, match="has no images"):
        read(folder)


def test_lens_and_scale(folder: Path) -> None:
    change(folder, lambda meta: meta.update(k1=0.1, p2=-0.01, depth_unit_scale_factor=0.002))
    view = read(folder).clusters[0].views[0]
    assert view.lens is not None
    assert (view.lens.k1, view.lens.p2, view.depth_scale) == (0.1, -0.01, 0.002)


def test_ids_without_a_table_are_objects(folder: Path) -> None:
    (folder / "instances.json").unlink()
    (folder / "classes.json").unlink()
    capture = read(folder)
    rows = [(row.id, row.class_id, row.class_name, row.is_thing) for row in capture.clusters[0].instances]
    assert rows == [(1, 1, "object", True), (2, 1, "object", True), (3, 1, "object", True)]
    assert [row.name for row in capture.classes] == ["object"]


def test_an_id_that_the_table_lacks(folder: Path) -> None:
    (folder / "instances.json").write_text(json.dumps([{"id": 1, "class_id": 1, "class_name": "wall", "is_thing": False}]))
    with pytest.raises(S3DError, match=r"0000\.png holds id 2, which instances\.json lacks"):
        read(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda meta: meta["frames"][2].pop("transform_matrix"),
            r"frame 2 \(images/0002.png\): transform_matrix is missing",
        ),
        (lambda meta: meta["frames"][2]["transform_matrix"][0].__setitem__(3, float("nan")), "frame 2 .* is not finite"),
        (lambda meta: meta["frames"][2]["transform_matrix"][0].__setitem__(0, 2.0), "frame 2 .* is not rigid"),
        (lambda meta: meta["frames"].append(meta["frames"][0]), "images/0000.png is there twice"),
        (
            lambda meta: meta["frames"].append(meta["frames"][0] | {"file_path": "./images/0000.png"}),
            "images/0000.png is there twice",
        ),
        (lambda meta: meta.update(fl_x=-1.0), "focal length -1.0"),
        (lambda meta: meta.update(camera_model="OPENCV_FISHEYE"), "camera model OPENCV_FISHEYE"),
        (lambda meta: meta["frames"][0].update(depth_file_path="depth/9.png"), "0000.png: .*9.png does not exist"),
        (lambda meta: meta["frames"][0].update(depth_file_path="../x.png"), r"depth_file_path is '../x.png'"),
        (lambda meta: meta.update(ply_file_path="no.ply"), "no.ply does not exist"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, edit: Any, message: str) -> None:
    change(folder, edit)
    with pytest.raises(S3DError, match=message):
        read(folder)


def test_paths_as_windows_writes_them(folder: Path) -> None:
    before = read(folder)
    text = (folder / "transforms.json").read_text().replace("images/", r"images\\").replace("\n", "\r\n")
    (folder / "transforms.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    capture = read(folder)
    assert capture.names == before.names
    assert [view.split for view in capture.clusters[0].views] == [view.split for view in before.clusters[0].views]


def test_names_in_several_folders(folder: Path) -> None:
    """Two cameras with equal file names, and a name that equals a joined one."""
    renamed = {"0000": "left/1", "0001": "right/1", "0002": "left_1"}

    def edit(meta: dict[str, Any]) -> None:
        for row in meta["frames"]:
            stem = Path(row["file_path"]).stem
            row["file_path"] = f"images/{renamed.get(stem, stem)}.png"
            row.pop("split")
        for split in ("train", "val", "test"):
            del meta[f"{split}_filenames"]

    for old, new in renamed.items():
        (folder / f"images/{new}.png").parent.mkdir(exist_ok=True)
        (folder / f"images/{old}.png").rename(folder / f"images/{new}.png")
    change(folder, edit)
    capture = read(folder)
    assert sorted(capture.names) == ["0003.png", "0004.png", "0005.png", "left_1.png", "left_1_2.png", "right_1.png"]


def test_fox(real_data: Path, tmp_path: Path) -> None:
    capture = NerfstudioReader().read(real_data / "fox", tmp_path)
    assert len(capture.names) == 50
    views = capture.clusters[0].views
    assert all(view.lens is not None and view.lens.k1 == 0.0578421 for view in views)
    assert all(view.T_cluster_camera is not None and bool(view.T_cluster_camera.isfinite().all()) for view in views)


def test_kitchen(real_data: Path, tmp_path: Path) -> None:
    capture = NerfstudioReader().read(real_data / "kitchen_scene", tmp_path)
    assert len(capture.names) == 150
    assert len(capture.clusters[0].instances) == 62
    assert capture.points is not None
    assert torch.isfinite(capture.points.points).all()
    assert capture.truth is not None
