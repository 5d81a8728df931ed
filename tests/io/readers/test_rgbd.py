"""7-Scenes and TUM: what the general contract cannot show."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, read_counts, write_image
from s3d_splat.io.readers.seven_scenes import SevenScenesReader
from s3d_splat.io.readers.tum import TumReader
from s3d_splat.types import Capture
from tests.io.readers.layouts import INTRINSICS, write_json, write_seven_scenes, write_tum
from tests.scene_fixtures import FRAMES


def read_seven(folder: Path) -> Capture:
    return SevenScenesReader().read(folder, folder.with_name("work"))


def read_tum(folder: Path) -> Capture:
    return TumReader().read(folder, folder.with_name("work"))


def write_kinect_frame(folder: Path, stem: str = "frame-000000") -> None:
    """One image of full size: a wall at 2.1 m, seen from the world's origin."""
    write_image(folder / f"{stem}.color.jpg", np.full((480, 640, 3), 120, dtype=np.uint8))
    write_image(folder / f"{stem}.depth.png", np.full((480, 640), 2100, dtype=np.uint16))
    np.savetxt(folder / f"{stem}.pose.txt", np.eye(4))


def test_default_sensor(tmp_path: Path) -> None:
    """Colour: f = 525, 2.5 cm to the right. The wall's first column, at 585 (x - 2.5 cm) ..., is seen at
    525 (-320 / 585 - 0.025 / 2.1) + 320 = 26.6, its first row at 240 - 240 * 525 / 585 = 24.6."""
    write_kinect_frame(tmp_path / "c")
    (view,) = read_seven(tmp_path / "c").clusters[0].views
    assert view.lens is not None
    assert (view.lens.fx, view.lens.fy, view.lens.cx, view.lens.cy, view.lens.k1) == (525.0, 525.0, 320.0, 240.0, 0.0)
    assert view.T_cluster_camera is not None
    assert view.T_cluster_camera[:3, 3].tolist() == pytest.approx([0.025, 0.0, 0.0])
    assert view.depth_path is not None
    counts = read_counts(view.depth_path, "depth", where="")
    rows, columns = np.nonzero(counts)
    assert (rows.min(), rows.max(), columns.min()) == (25, 454, 27)
    assert (counts[25:455, 27:600] == 2100).all()


def test_intrinsics_beside_the_images(tmp_path: Path) -> None:
    """`camera-intrinsics.txt` is the depth camera's: at 1170 it sees half as much as at 585."""
    write_kinect_frame(tmp_path / "c")
    np.savetxt(tmp_path / "c/camera-intrinsics.txt", np.array([[1170.0, 0, 320], [0, 1170, 240], [0, 0, 1]]))
    view = read_seven(tmp_path / "c").clusters[0].views[0]
    assert view.depth_path is not None
    rows, _ = np.nonzero(read_counts(view.depth_path, "depth", where=""))
    assert (rows.min(), rows.max()) == (132, 347)  # 240 - 240 * 525 / 1170 = 132.3
    (tmp_path / "c/camera-intrinsics.txt").write_text("1 2\n3 4\n")
    with pytest.raises(S3DError, match=r"camera-intrinsics\.txt holds no intrinsics"):
        read_seven(tmp_path / "c")


def test_sequences(tmp_path: Path) -> None:
    """One sequence keeps the names of its files; several join theirs."""
    write_seven_scenes(tmp_path / "c", "seq-01")
    assert read_seven(tmp_path / "c").names[0] == "frame-000000.color.png"
    write_seven_scenes(tmp_path / "c", "seq-02")
    capture = read_seven(tmp_path / "c")
    assert len(capture.names) == 2 * FRAMES
    assert capture.names[0] == "seq-01_frame-000000.color.png"
    assert capture.names[FRAMES] == "seq-02_frame-000000.color.png"


def test_seven_scenes_is_checked(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_seven_scenes(folder)
    (folder / "calibration.json").unlink()
    with pytest.raises(S3DError, match=r"images of .* are 32x24(.|\n)*calibration\.json"):
        read_seven(folder)
    write_seven_scenes(folder)
    pose = folder / "frame-000002.pose.txt"
    pose.write_text("1 0 0\n")
    with pytest.raises(S3DError, match=r"frame-000002.*is no 4x4 matrix"):
        read_seven(folder)
    pose.write_text("a b c d\n")
    with pytest.raises(S3DError, match=r"frame-000002.*cannot be read as numbers"):
        read_seven(folder)
    pose.unlink()
    with pytest.raises(S3DError, match=r"frame-000002.*cannot be read as numbers"):
        read_seven(folder)
    write_seven_scenes(folder)
    (folder / "frame-000003.depth.png").unlink()
    with pytest.raises(S3DError, match=r"frame-000003\.depth\.png does not exist"):
        read_seven(folder)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ([], "is no object"),
        ({"colour": INTRINSICS, "depth": 3}, "depth is no camera"),
        ({"depth": INTRINSICS}, "colour is no camera"),
        ({"colour": {"fl_x": 1.0}}, "fl_y is missing"),
        ({"colour": INTRINSICS | {"fl_x": 0.0}}, "focal length 0.0"),
        ({"colour": INTRINSICS, "depth": INTRINSICS | {"k1": 0.1}}, "depth camera has distortion"),
        ({"colour": INTRINSICS, "T_colour_depth": [[1]]}, "T_colour_depth is no 4x4 matrix"),
        ({"colour": INTRINSICS, "depth_scale": -1}, "depth_scale is -1"),
        ({"colour": INTRINSICS | {"cx": 99.0}}, "principal point 99.0"),
    ],
)
def test_calibrations_are_checked(tmp_path: Path, meta: object, message: str) -> None:
    write_seven_scenes(tmp_path / "c")
    write_json(tmp_path / "c/calibration.json", meta)
    with pytest.raises(S3DError, match=message):
        read_seven(tmp_path / "c")


def test_redkitchen(real_data: Path, tmp_path: Path) -> None:
    """Colour sees less than depth does (f 525 against 585), and what it sees is filled as densely as before."""
    source = real_data / "redkitchen"
    (tmp_path / "c").mkdir()
    (tmp_path / "c/camera-intrinsics.txt").symlink_to(source / "camera-intrinsics.txt")
    for number in (0, 300, 600):
        for suffix in ("color.jpg", "depth.png", "pose.txt"):
            name = f"frame-{number:06d}.{suffix}"
            os.symlink(source / name, tmp_path / "c" / name)
    capture = read_seven(tmp_path / "c")
    assert capture.names == tuple(f"frame-{number:06d}.color.jpg" for number in (0, 300, 600))
    for view in capture.clusters[0].views:
        assert view.depth_path is not None
        registered = read_counts(view.depth_path, "depth", where=view.name)[30:450, 40:600]
        measured = read_counts(source / view.name.replace("color.jpg", "depth.png"), "depth", where=view.name)
        assert (registered > 0).mean() > (measured > 0).mean() - 0.06
        assert np.median(registered[registered > 0]) == pytest.approx(np.median(measured[measured > 0]), rel=0.05)


def test_tum_association(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Image 1 finds no pose; the depth 17.5 ms after image 2 is nearer to image 3, which has a better one."""
    folder = tmp_path / "c"
    write_tum(folder)
    times = [1305031102.0 + 0.033 * index for index in range(FRAMES)]
    lines = (folder / "groundtruth.txt").read_text().splitlines()
    (folder / "groundtruth.txt").write_text("\n".join(lines[:2] + lines[3:]))
    depths = (folder / "depth.txt").read_text().splitlines()
    moved = f"{times[2] + 0.0175:.6f} {depths[3].split()[1]}"
    (folder / "depth.txt").write_text("\n".join([*depths[:3], moved, *depths[4:]]))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        capture = read_tum(folder)
    assert "1 of 6 images are left out: no pose within 20 ms" in caplog.text
    assert capture.names == tuple(f"{times[index]:.6f}.png" for index in (0, 2, 3, 4, 5))
    depth = {view.name: view.depth_path for view in capture.clusters[0].views}
    assert depth[f"{times[3]:.6f}.png"] == folder / f"depth/{times[3] + 0.005:.6f}.png"
    assert depth[f"{times[2]:.6f}.png"] is None


def test_tum_depth_is_given_once(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_tum(folder)
    depths = (folder / "depth.txt").read_text().splitlines()
    del depths[3]  # of image 2; its neighbours' are 28 ms away
    depths[2] = f"{1305031102.0 + 0.033 * 1.5:.6f} {depths[2].split()[1]}"  # half way between images 1 and 2
    (folder / "depth.txt").write_text("\n".join(depths))
    views = read_tum(folder).clusters[0].views
    assert sum(view.depth_path is not None for view in views[1:3]) == 1


def test_tum_without_depth(tmp_path: Path) -> None:
    write_tum(tmp_path / "c")
    (tmp_path / "c/depth.txt").unlink()
    assert all(view.depth_path is None for view in read_tum(tmp_path / "c").clusters[0].views)


def write_freiburg(folder: Path, image: np.ndarray) -> None:
    """One image and a depth of 2 m, turned around z by an angle whose half has sine 0.6."""
    write_image(folder / "rgb/1.0.png", image)
    write_image(folder / "depth/1.0.png", np.full((480, 640), 10000, dtype=np.uint16))
    (folder / "rgb.txt").write_text("1.0 rgb/1.0.png")
    (folder / "depth.txt").write_text("1.0 depth/1.0.png")
    (folder / "groundtruth.txt").write_text("1.01 0 0 0 0 0 0.6 0.8")


def test_tum_listings_with_marks_and_empty_rows(tmp_path: Path) -> None:
    """A byte order mark, Windows' ends of line, a row of nothing but a comma."""
    write_tum(tmp_path / "c")
    before = TumReader().read(tmp_path / "c", tmp_path / "work").names
    path = tmp_path / "c/rgb.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b",\r\n")
    assert TumReader().read(tmp_path / "c", tmp_path / "work").names == before


def test_freiburg3_is_a_pinhole_camera(tmp_path: Path) -> None:
    folder = tmp_path / "rgbd_dataset_freiburg3_office"
    write_freiburg(folder, np.zeros((480, 640, 3), dtype=np.uint8))
    (view,) = read_tum(folder).clusters[0].views
    assert view.lens is not None
    assert (view.lens.fx, view.lens.fy, view.lens.cx, view.lens.cy) == (535.4, 539.2, 320.6, 248.1)
    assert view.image_path == folder / "rgb/1.0.png"
    assert view.depth_scale == 1 / 5000
    assert view.T_cluster_camera is not None
    assert view.T_cluster_camera[0].tolist() == pytest.approx([0.28, -0.96, 0.0, 0.0])  # 1 - 2 s^2, -2 s c


def test_freiburg1_is_undistorted(tmp_path: Path) -> None:
    """Its lens has a k3. A bright dot in the direction (0.3, -0.2, 1) is afterwards where a pinhole camera shows it."""
    import cv2

    matrix = np.array([[517.3, 0, 318.6], [0, 516.5, 255.3], [0, 0, 1]])
    published = np.array([0.2624, -0.9531, -0.0054, 0.0026, 1.1633])
    dot, _ = cv2.projectPoints(np.array([[0.3, -0.2, 1.0]]), np.zeros(3), np.zeros(3), matrix, published)
    rows, columns = np.mgrid[0:480, 0:640]
    bright = 255 * np.exp(-((columns - dot[0, 0, 0]) ** 2 + (rows - dot[0, 0, 1]) ** 2) / (2 * 3.0**2))
    folder = tmp_path / "rgbd_dataset_freiburg1_desk"
    write_freiburg(folder, np.repeat(bright[..., None], 3, axis=-1).round().astype(np.uint8))
    (view,) = read_tum(folder).clusters[0].views
    assert view.lens is not None
    assert view.depth_path is not None
    assert (view.lens.k1, view.lens.k2, view.lens.p1, view.lens.p2) == (0.0, 0.0, 0.0, 0.0)
    assert view.image_path == tmp_path / "work/images/1.0.png"
    pixels = read_colours(view.image_path, where="")[..., 0].astype(np.float64)
    centre = [((columns + 0.5) * pixels).sum() / pixels.sum(), ((rows + 0.5) * pixels).sum() / pixels.sum()]
    assert centre == pytest.approx([view.lens.fx * 0.3 + view.lens.cx, view.lens.fy * -0.2 + view.lens.cy], abs=0.2)
    assert (read_counts(view.depth_path, "depth", where="") == 10000).mean() > 0.99


def test_tum_is_checked(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_tum(folder)
    (folder / "calibration.json").unlink()
    with pytest.raises(S3DError, match=r"camera of .* is not known(.|\n)*freiburg1(.|\n)*calibration\.json"):
        read_tum(folder)
    write_tum(folder)
    good = (folder / "groundtruth.txt").read_text()
    for text, message in (
        ("1.0 0 0 0 0 0\n", "groundtruth.txt is malformed"),
        ("soon 0 0 0 0 0 0 1\n", "groundtruth.txt is malformed"),
        (good.replace(" 0 0 0 0 0 1", " 0 0 0 0 0 0"), "is not finite"),
        (good.replace(" 0 0 0 0 0 1", " 0 0 x 0 0 1"), "is no pose"),
        ("9.0 0 0 0 0 0 0 1\n", "has no images"),
    ):
        (folder / "groundtruth.txt").write_text(text)
        with pytest.raises(S3DError, match=message):
            read_tum(folder)
    (folder / "groundtruth.txt").write_text(good)
    (folder / "rgb.txt").write_text("1305031102.0 rgb/7.png\n")
    with pytest.raises(S3DError, match=r"7\.png"):
        read_tum(folder)


def test_calibration_may_name_only_what_differs(tmp_path: Path) -> None:
    write_kinect_frame(tmp_path / "c")
    shift = np.eye(4)
    shift[0, 3] = -0.03
    (tmp_path / "c/calibration.json").write_text(json.dumps({"T_colour_depth": shift.tolist(), "depth_scale": 0.002}))
    view = read_seven(tmp_path / "c").clusters[0].views[0]
    assert view.T_cluster_camera is not None
    assert float(view.T_cluster_camera[0, 3]) == pytest.approx(0.03)
    assert view.depth_scale == 0.002
    assert view.lens is not None
    assert view.lens.fx == 525.0
