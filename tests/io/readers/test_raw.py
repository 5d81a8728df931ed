"""Raw captures: images with or without what is known of them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.readers.raw import RawReader
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.types import Capture
from tests.io.readers.layouts import INTRINSICS, opengl_rows, write_clusters, write_json, write_pixels, write_raw
from tests.synthetic.conftest import few_points


def read(folder: Path) -> Capture:
    return RawReader().read(folder, folder.with_name("work"))


def write_images(folder: Path, *names: str) -> Path:
    for index, name in enumerate(names):
        write_pixels(index, image=folder / "images" / name)
    return folder


def test_images_alone(tmp_path: Path) -> None:
    capture = read(write_images(tmp_path / "c", "IMG_10.JPG", "IMG_9.jpeg", "IMG_1.png"))
    assert capture.names == ("IMG_1.png", "IMG_9.jpeg", "IMG_10.JPG")
    (cluster,) = capture.clusters
    assert all(view.lens is None and view.T_cluster_camera is None and view.split is None for view in cluster.views)
    assert (cluster.views[0].width, cluster.views[0].height) == (32, 24)
    assert capture.truth is None


def test_intrinsics_alone(tmp_path: Path) -> None:
    """Width and height are those of the images where they are not given."""
    folder = write_images(tmp_path / "c", "1.png", "2.png")
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS | {"k1": 0.2}})
    views = read(folder).clusters[0].views
    assert all(view.lens is not None and view.lens.k1 == 0.2 and view.T_cluster_camera is None for view in views)


def test_shared_intrinsics_are_those_of_one_size(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "c", "1.png", "2.png")
    write_image(folder / "images/2.png", np.zeros((32, 24, 3), dtype=np.uint8))
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS})
    with pytest.raises(S3DError, match=r"capture.json: 1.png is 32x24, 2.png is 24x32"):
        read(folder)
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS, "frames": [{"file_path": "images/2.png"} | INTRINSICS]})
    assert [(view.width, view.height) for view in read(folder).clusters[0].views] == [(32, 24), (24, 32)]
    (folder / "capture.json").unlink()
    frames = [{"file_path": f"images/{name}.png"} for name in (1, 2)]
    write_json(folder / "clusters/0/transforms.json", INTRINSICS | {"frames": frames})
    with pytest.raises(S3DError, match=r"0/transforms.json: 1.png is 32x24, 2.png is 24x32"):
        read(folder)


def test_some_frames_are_described(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "c", "1.png", "2.png")
    frame = {"file_path": "images/2.png", "transform_matrix": opengl_rows(3), "split": "val"}
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS, "frames": [frame]})
    first, second = read(folder).clusters[0].views
    assert first.T_cluster_camera is None
    assert second.T_cluster_camera is not None
    assert (first.split, second.split) == (None, "test")


def test_clusters_have_their_own_gauge_and_ids(tmp_path: Path) -> None:
    write_clusters(tmp_path / "c")
    path = tmp_path / "c/clusters/1/transforms.json"
    meta = json.loads(path.read_text()) | {"depth_scale": 0.004}
    del meta["frames"][0]["transform_matrix"]
    path.write_text(json.dumps(meta))
    for cluster in (0, 1):
        (tmp_path / f"c/clusters/{cluster}/instances.json").unlink()
    (tmp_path / "c/clusters/1/depth/5.png").unlink()
    (tmp_path / "c/truth").mkdir()
    capture = read(tmp_path / "c")
    first, second = capture.clusters
    assert [view.name for view in first.views] == ["0.png", "1.png", "2.png", "3.png"]
    assert [view.name for view in second.views] == ["2.png", "3.png", "4.png", "5.png"]
    assert {view.depth_scale for view in first.views} == {0.001}
    assert second.views[0].depth_scale == 0.004
    assert second.views[0].T_cluster_camera is None
    assert [view.depth_path is None for view in second.views] == [False, False, False, True]
    assert all(view.confidence_path is not None for view in first.views)
    assert [(row.id, row.class_name) for row in first.instances] == [(1, "object"), (2, "object"), (3, "object")]
    assert capture.truth == tmp_path / "c/truth"


def test_clusters_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "c", *(f"{index}.png" for index in range(3)))
    for number, image in ((2, 0), (10, 1), (1, 2)):
        write_json(folder / f"clusters/{number}/transforms.json", {"frames": [{"file_path": f"images/{image}.png"}]})
    assert [cluster.views[0].name for cluster in read(folder).clusters] == ["2.png", "0.png", "1.png"]


def test_images_in_folders(tmp_path: Path) -> None:
    """Files of a cluster are found by the path of the image or by its name in the scene."""
    folder = write_images(tmp_path / "c", "left/1.png", "right/1.png")
    frames = [{"file_path": f"images/{side}/1.png"} for side in ("left", "right")]
    write_json(folder / "clusters/0/transforms.json", {"frames": frames})
    write_pixels(0, image=tmp_path / "x.png", mask=folder / "clusters/0/instances/left/1.png")
    write_pixels(1, image=tmp_path / "x.png", mask=folder / "clusters/0/instances/right_1.png")
    views = read(folder).clusters[0].views
    assert [view.name for view in views] == ["left_1.png", "right_1.png"]
    assert [view.instance_path for view in views] == [
        folder / "clusters/0/instances/left/1.png",
        folder / "clusters/0/instances/right_1.png",
    ]


def test_frames_beside_clusters_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_clusters(tmp_path / "c")
    write_json(tmp_path / "c/capture.json", {"frames": [{"file_path": "images/0.png"}]})
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        read(tmp_path / "c")
    assert "capture.json are passed over" in caplog.text


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "c/images").mkdir(parents=True)
    (tmp_path / "c/images/clip.mp4").touch()
    with pytest.raises(S3DError, match=r"c has no images"):
        read(tmp_path / "c")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ([], "is no description of a capture"),
        ({"intrinsics": 3}, "is no description of a capture"),
        ({"intrinsics": {"fl_x": 28.0}}, "fl_y is missing"),
        ({"intrinsics": INTRINSICS | {"w": 64, "h": 24}}, "1.png is 32x24, but the camera is 64x24"),
        ({"frames": {}}, "frames is no list"),
        ({"frames": [{}]}, "frame 0: file_path is None"),
        ({"frames": [{"file_path": "images/9.png"}]}, r"frame 0 \(images/9.png\) has no image"),
        ({"frames": [{"file_path": "images/1.png"}] * 2}, "images/1.png is there twice"),
        ({"frames": [{"file_path": "images/1.png", "split": "dev"}]}, "split is 'dev'"),
        ({"frames": [{"file_path": "images/1.png", "transform_matrix": [[1, 2], [3, 4]]}]}, "is no 4x4 matrix"),
        ({"frames": [{"file_path": "images/1.png", "depth_file_path": "d.png"}]}, "d.png does not exist"),
        ({"depth_scale": 0.0}, "depth_scale is 0.0"),
    ],
)
def test_capture_json_is_checked(tmp_path: Path, meta: object, message: str) -> None:
    folder = write_images(tmp_path / "c", "1.png")
    write_json(folder / "capture.json", meta)
    with pytest.raises(S3DError, match=message):
        read(folder)


def test_clusters_are_checked(tmp_path: Path) -> None:
    write_clusters(tmp_path / "c")
    path = tmp_path / "c/clusters/1/transforms.json"
    meta = json.loads(path.read_text())
    for broken, message in (
        ({key: value for key, value in meta.items() if key != "depth_scale"}, "2.png: depth_scale is missing"),
        (meta | {"frames": []}, "1/transforms.json has no frames"),
        (meta | {"frames": [{"file_path": "images/7.png"}]}, r"frame 0 \(images/7.png\) has no image"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(S3DError, match=message):
            read(tmp_path / "c")
    path.unlink()
    with pytest.raises(S3DError, match=r"1/transforms\.json does not exist"):
        read(tmp_path / "c")


def test_classes_agree_among_clusters(tmp_path: Path) -> None:
    write_clusters(tmp_path / "c")
    rows = [{"id": k, "class_id": 1, "class_name": "chair", "is_thing": True} for k in (1, 2, 3)]
    write_json(tmp_path / "c/clusters/1/instances.json", rows)
    with pytest.raises(S3DError, match="class 1 is 'chair' here, and 'thing' in another cluster"):
        read(tmp_path / "c")


def test_confidence_of_16_bits(tmp_path: Path) -> None:
    write_clusters(tmp_path / "c")
    write_image(tmp_path / "c/clusters/0/confidence/1.png", np.zeros((24, 32), dtype=np.uint16))
    with pytest.raises(S3DError, match=r"cluster 0: 1\.png: .*confidence"):
        read(tmp_path / "c")


def test_depth_may_be_there_without_clusters(tmp_path: Path) -> None:
    write_raw(tmp_path / "c")
    path = tmp_path / "c/capture.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"depth_scale": 0.5}))
    assert {view.depth_scale for view in read(tmp_path / "c").clusters[0].views} == {0.5}


def test_what_synth_writes(tmp_path: Path) -> None:
    """The built-in room as a capture in two clusters, each in its own gauge."""
    faults = (("gauge", 1.0), ("renumber", 1.0), ("drop", 1.0))
    options = SynthOptions(kind="capture", frames=60, width=40, height=32, faults=faults)
    with few_points():
        write_scene(tmp_path / "c", options)
    capture = read(tmp_path / "c")
    assert len(capture.names) == 60
    assert [len(cluster.views) for cluster in capture.clusters] == [50, 50]
    scales = [cluster.views[0].depth_scale for cluster in capture.clusters]
    assert scales[0] != scales[1]
    assert all(cluster.instances for cluster in capture.clusters)
    assert capture.truth == tmp_path / "c/truth"
    assert len(capture.classes) > 5
