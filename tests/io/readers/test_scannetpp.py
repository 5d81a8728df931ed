"""ScanNet++: what the phone took, extracted or as video, and what the camera took, undistorted or not."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, read_counts, write_image
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.readers.rgbd import enlarged
from s3d_splat.types import Capture, CaptureView
from tests.io.readers.layouts import (
    true_pose,
    write_json,
    write_model,
    write_phone_poses,
    write_pixels,
    write_scannetpp_dslr,
    write_scannetpp_iphone,
    write_scannetpp_video,
)
from tests.io.readers.videos import blurred_but, write_video
from tests.scene_fixtures import FRAMES, HEIGHT, WIDTH, tiny_camera, tiny_observation


def read(folder: Path, choice: FrameChoice | None = None) -> Capture:
    return read_capture(folder, folder.with_name("work"), choice=choice or FrameChoice())


def views_of(capture: Capture) -> tuple[CaptureView, ...]:
    return capture.clusters[0].views


def test_coarse_depth_covers_the_colours() -> None:
    counts = np.array([[1, 2], [3, 4]], dtype=np.uint16)
    assert enlarged(counts, 4, 2).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert enlarged(counts, 3, 3).tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]]


def test_frames_of_the_model_are_those_of_the_video(tmp_path: Path) -> None:
    """Every second frame of the video; the third of the model is number 4, and looks like the tiny world from camera 2."""
    write_scannetpp_video(tmp_path / "c")
    capture = read(tmp_path / "c")
    assert capture.names == tuple(f"frame_{2 * index:06d}.jpg" for index in range(FRAMES))
    assert capture.points is not None
    seen = read_colours(views_of(capture)[2].image_path, where="").astype(int)
    differences = [np.abs(seen - tiny_observation(tiny_camera(index)).image.numpy()).mean() for index in range(FRAMES)]
    assert np.argmin(differences) == 2


def test_chosen_frames_of_the_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Poses of frames 0, 3, 6, 9, 12, and 40, which the video has not: of the first two 3 is sharp, of the others 12."""
    place = tmp_path / "c/iphone"
    write_video(place / "rgb.mkv", blurred_but((3, 4, 5, 12), 15, WIDTH, HEIGHT), rate=60, codec="ffv1")
    write_phone_poses(place, (0, 3, 6, 9, 12, 40))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert read(tmp_path / "c", FrameChoice(2)).names == ("frame_000003.jpg", "frame_000012.jpg")
    assert "1 of 6 poses are left out" in caplog.text
    assert len(read_capture(tmp_path / "c", tmp_path / "all").names) == 5
    assert len(read_capture(tmp_path / "c", tmp_path / "some", choice=FrameChoice(fps=10.0)).names) == 3  # 0-5, 6-11, 12


def test_refined_cameras_come_first(tmp_path: Path) -> None:
    """The model has two of the frames, moved by nothing but a distortion that the phone does not tell."""
    write_scannetpp_iphone(tmp_path / "c")
    names = ["frame_000000.jpg", "frame_000001.jpg"]
    write_model(tmp_path / "c/iphone/colmap", names, f"OPENCV {WIDTH} {HEIGHT} 28 28 16 12 0.01 0 0 0")
    capture = read(tmp_path / "c")
    assert capture.names == tuple(names)
    lens = views_of(capture)[0].lens
    assert lens is not None
    assert lens.k1 == 0.01
    write_model(tmp_path / "c/iphone/colmap", names, f"OPENCV_FISHEYE {WIDTH} {HEIGHT} 28 28 16 12 0.01 0 0 0")
    with pytest.raises(S3DError, match=r"camera beyond k1 k2 p1 p2(.|\n)*remove colmap/"):
        read(tmp_path / "c")


def test_the_phone_folder_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Named directly; packed depth is told of, frames without a pose are left out."""
    write_scannetpp_iphone(tmp_path / "c")
    place = tmp_path / "c/iphone"
    for path in (place / "depth").iterdir():
        path.unlink()
    (place / "depth.bin").touch()
    rows = json.loads((place / "pose_intrinsic_imu.json").read_text())
    rows["frame_000002"]["aligned_pose"][0][3] = float("nan")
    (place / "pose_intrinsic_imu.json").write_text(json.dumps(rows))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        capture = read_capture(place, tmp_path / "work")
    assert capture.names == tuple(f"frame_{index:06d}.jpg" for index in (0, 1, 3, 4, 5))
    assert "depth.bin is not read" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"intrinsic": np.eye(3).tolist()}, r"frame_000000: no pose and intrinsics"),
        ({"aligned_pose": np.eye(4).tolist(), "intrinsic": [1, 2]}, r"frame_000000: no pose and intrinsics"),
        ({"aligned_pose": np.eye(4).tolist(), "intrinsic": np.zeros((3, 3)).tolist()}, r"frame_000000: no intrinsics"),
        ({"aligned_pose": np.ones((4, 4)).tolist(), "intrinsic": np.eye(3).tolist()}, r"aligned_pose\) is not rigid"),
        ([], "no pose and intrinsics"),
    ],
)
def test_damaged_poses_of_the_phone(tmp_path: Path, row: object, message: str) -> None:
    write_scannetpp_iphone(tmp_path / "c")
    write_json(tmp_path / "c/iphone/pose_intrinsic_imu.json", {"frame_000000": row})
    with pytest.raises(S3DError, match=message):
        read(tmp_path / "c")


def test_depth_keeps_its_surfaces(tmp_path: Path) -> None:
    write_scannetpp_iphone(tmp_path / "c")
    view = views_of(read(tmp_path / "c"))[0]
    assert view.depth_path == tmp_path / "work/depth/frame_000000.png"
    coarse = read_counts(tmp_path / "c/iphone/depth/frame_000000.png", "depth", where="")
    assert np.array_equal(read_counts(view.depth_path, "depth", where="")[::2, 1::2], coarse)


def test_split_and_bad_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The lists of the JSON, then the file of lists; an image that the data set calls bad is left out."""
    folder = tmp_path / "c"
    write_scannetpp_dslr(folder)
    assert [view.split for view in views_of(read(folder))] == ["train"] * 4 + ["test", "train"]
    names = [f"DSC{index:05d}.JPG" for index in range(FRAMES)]
    write_json(folder / "dslr/train_test_lists.json", {"train": names[1:], "test": names[:1], "has_masks": False})
    assert [view.split for view in views_of(read(folder))] == ["test"] + ["train"] * 5
    path = folder / "dslr/nerfstudio/transforms_undistorted.json"
    meta = json.loads(path.read_text())
    meta["frames"][1]["is_bad"] = True
    path.write_text(json.dumps(meta))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert read(folder).names == (names[0], *names[2:])
    assert "1 images are left out: the data set calls them bad" in caplog.text
    write_json(folder / "dslr/train_test_lists.json", {"train": "all", "test": []})
    with pytest.raises(S3DError, match="train and test are lists of names"):
        read(folder)


def test_damaged_cameras_of_the_camera(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_scannetpp_dslr(folder)
    for meta, message in (
        ([], "is no object"),
        ({"frames": 5}, "frames is no list"),
        ({"frames": [5]}, "file_path"),
        ({"frames": [{"file_path": "DSC00000.JPG"}]}, "fl_x is missing"),
        ({"frames": []}, "has no images"),
    ):
        write_json(folder / "dslr/nerfstudio/transforms_undistorted.json", meta)
        with pytest.raises(S3DError, match=message):
            read(folder)


def test_images_that_are_not_extracted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_scannetpp_iphone(tmp_path / "c")
    (tmp_path / "c/iphone/rgb/frame_000003.jpg").unlink()
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert len(read(tmp_path / "c").names) == FRAMES - 1
    assert "1 of 6 poses are left out: their images are not extracted" in caplog.text


def test_poses_of_the_json_without_a_model(tmp_path: Path) -> None:
    """In the world of the JSON, x and y change places, z points back: what was at x is at y."""
    folder = tmp_path / "c"
    write_scannetpp_dslr(folder)
    for path in (folder / "dslr/colmap").iterdir():
        path.unlink()
    capture = read(folder)
    assert capture.points is None
    pose = views_of(capture)[0].T_cluster_camera
    assert pose is not None
    assert float(pose[1, 3]) == pytest.approx(true_pose(0)[0, 3])


def test_masks_of_the_camera(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_scannetpp_dslr(folder)
    mask = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    mask[:5] = 0
    write_image(folder / "dslr/resized_undistorted_masks/DSC00002.png", mask)
    paths = [view.mask_path for view in views_of(read(folder))]
    assert paths == [None, None, folder / "dslr/resized_undistorted_masks/DSC00002.png", None, None, None]


def test_fisheye_images_are_undistorted(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    names = [f"DSC{index:05d}.JPG" for index in range(FRAMES)]
    for index, name in enumerate(names):
        write_pixels(index, image=folder / "dslr/resized_images" / name)
    write_model(folder / "dslr/colmap", names, f"OPENCV_FISHEYE {WIDTH} {HEIGHT} 28 28 16 12 0.1 0 0 0")
    write_json(folder / "dslr/train_test_lists.json", {"train": names[:5], "test": names[5:]})
    capture = read(folder)
    assert (capture.format, capture.root, capture.names) == ("scannetpp_dslr", folder, tuple(names))
    views = views_of(capture)
    assert [view.split for view in views] == ["train"] * 5 + ["test"]
    assert views[0].image_path == tmp_path / "work/images/DSC00000.png"
    assert views[0].lens is not None
    assert views[0].lens.k1 == 0
    assert capture.points is not None
