"""ScanNet: the binary recording, written here by hand, and the extracted layout."""

from __future__ import annotations

import io
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, read_counts, write_image
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.readers.sens_file import SensFile
from s3d_splat.types import Capture, CaptureView
from tests.io.readers.layouts import (
    DEPTH_SIZE,
    jpeg_of,
    sens_frame,
    sens_header,
    tiny_sens_frame,
    true_pose,
    write_json,
    write_scannet,
    write_sens,
)
from tests.scene_fixtures import FRAMES, HEIGHT, WIDTH, tiny_camera, tiny_observation


def read(folder: Path, choice: FrameChoice | None = None) -> Capture:
    return read_capture(folder, folder.with_name("work"), choice=choice or FrameChoice())


def views_of(capture: Capture) -> tuple[CaptureView, ...]:
    return capture.clusters[0].views


def write_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_sens_colours_are_kept_bit_for_bit(tmp_path: Path) -> None:
    write_sens(tmp_path / "c")
    capture = read(tmp_path / "c/scene0000_00.sens")
    assert capture.format == "sens"
    assert capture.names == tuple(f"{index:06d}.jpg" for index in range(FRAMES))
    assert [view.image_path.read_bytes() for view in views_of(capture)] == [jpeg_of(index) for index in range(FRAMES)]
    assert views_of(capture)[0].depth_scale == pytest.approx(1 / 1000)


def test_sens_is_read_frame_by_frame(tmp_path: Path) -> None:
    """Each depth is what was compressed; the index holds numbers alone."""
    write_sens(tmp_path / "c")
    with SensFile(tmp_path / "c/scene0000_00.sens") as file:
        assert file.header.sensor == "StructureSensor (calibrated)"
        assert (file.header.colour_size, file.header.depth_size) == ((WIDTH, HEIGHT), DEPTH_SIZE)
        assert [frame.number for frame in file.frames] == list(range(FRAMES))
        counts = file.depth_counts(file.frames[3])
        assert set(np.unique(counts)) <= {2000, 2400, 3000}
        assert counts.shape == (12, 16)
        assert file.frames[3].pose == pytest.approx(true_pose(3))


def test_sens_of_raw_pixels(tmp_path: Path) -> None:
    """The smallest file that there can be, three pixels wide: raw colour and raw depth in 500 counts a metre."""
    colour = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    depth = np.array([[500, 1000, 0], [2000, 2500, 3000]], dtype="<u2")
    frame = sens_frame(np.eye(4), colour.tobytes(), depth.tobytes())
    matrix = np.array([[28.0, 0, 1, 0], [0, 28, 0.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    cameras = {"size": (3, 2), "depth_size": (3, 2), "colour_matrix": matrix, "depth_matrix": matrix}
    header = sens_header(2, colour=0, depth=0, shift=500.0, **cameras)
    path = write_file(tmp_path / "small.sens", header + 2 * frame)
    view = views_of(read(path))[1]
    assert view.name == "000001.png"
    assert np.array_equal(read_colours(view.image_path, where=""), colour)
    assert view.depth_path is not None
    assert np.array_equal(read_counts(view.depth_path, "depth", where=""), depth)
    assert view.depth_scale == 1 / 500
    assert view.lens is not None
    assert (view.lens.cx, view.lens.cy) == (1.5, 1.0)


def test_sens_frames_without_pose_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = sens_frame(np.full((4, 4), -np.inf), jpeg_of(1), b"")
    body = tiny_sens_frame(0) + lost + tiny_sens_frame(2)
    path = write_file(tmp_path / "a.sens", sens_header(3) + body)
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert read(path).names == ("000000.jpg", "000002.jpg")
    assert "1 of 3 frames are left out" in caplog.text


def test_sens_depth_camera_beside_colour(tmp_path: Path) -> None:
    """Depth 5 cm to the left of colour: the pose that is stored is depth's, colour stands 5 cm to its right."""
    shift = np.eye(4)
    shift[0, 3] = -0.05
    header = bytearray(sens_header(2))
    start = 12 + len(b"StructureSensor (calibrated)") + 3 * 64
    header[start : start + 64] = shift.astype("<f4").tobytes()
    path = write_file(tmp_path / "a.sens", bytes(header) + tiny_sens_frame(0) + tiny_sens_frame(1))
    pose = views_of(read(path))[0].T_cluster_camera
    assert pose is not None
    assert float(pose[0, 3]) == pytest.approx(true_pose(0)[0, 3] + 0.05)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends within the header"),
        (b"<html>not found</html>", "no .sens file of version 4"),
        (sens_header(1, version=3), "no .sens file of version 4"),
        (sens_header(1, name_length=2**60), "name of its sensor has 1152921504606846976 bytes"),
        (sens_header(2**62) + tiny_sens_frame(0), "4611686018427387904 frames do not fit"),
        (sens_header(2) + tiny_sens_frame(0), "frames do not fit|ends within"),
        (sens_header(1, size=(4_000_000_000, 4_000_000_000)) + tiny_sens_frame(0), "4000000000x4000000000"),
        (sens_header(1, size=(0, 4)) + tiny_sens_frame(0), "0x4"),
        (sens_header(1, shift=0.0) + tiny_sens_frame(0), "would have 0.0 counts"),
        (sens_header(1, shift=float("nan")) + tiny_sens_frame(0), "would have nan counts"),
        (sens_header(1, depth=2) + tiny_sens_frame(0), "compression 2 of colour and 2 of depth"),
        (sens_header(1, colour=7) + tiny_sens_frame(0), "compression 7 of colour"),
        (sens_header(1) + sens_frame(np.eye(4), b"abc", b"d", sizes=(2**63, 2**63)), "ends within frame 0 of 1"),
        (sens_header(1, depth=0) + tiny_sens_frame(0), "bytes of depth, not 2 x 16 x 12"),
        (sens_header(1, colour=0) + tiny_sens_frame(0), "bytes of colour, not 3 x 32 x 24"),
        (sens_header(0), "has no images"),
    ],
)
def test_sens_that_lies(tmp_path: Path, content: bytes, message: str) -> None:
    path = write_file(tmp_path / "a.sens", content)
    with pytest.raises(S3DError, match=message):
        read(path)


def test_sens_depth_that_unpacks_to_more_than_the_image(tmp_path: Path) -> None:
    """A gigabyte of zeros in a megabyte: unpacking ends with the size of the image."""
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(1 << 6)) + bomb.flush()
    path = write_file(tmp_path / "a.sens", sens_header(1) + sens_frame(np.eye(4), jpeg_of(0), packed))
    with pytest.raises(S3DError, match="has 385 bytes of depth, not 2 x 16 x 12"):
        read(path)
    path = write_file(tmp_path / "b.sens", sens_header(1) + sens_frame(np.eye(4), jpeg_of(0), b"no zlib"))
    with pytest.raises(S3DError, match="depth of frame 0"):
        read(path)


def test_sens_colour_of_another_size_or_none(tmp_path: Path) -> None:
    other = sens_header(1, size=(WIDTH + 2, HEIGHT))
    path = write_file(tmp_path / "a.sens", other + tiny_sens_frame(0))
    with pytest.raises(S3DError, match=f"is {WIDTH}x{HEIGHT}, but the camera is {WIDTH + 2}x{HEIGHT}"):
        read(path)
    path = write_file(tmp_path / "b.sens", sens_header(1) + sens_frame(np.eye(4), b"no jpeg", b""))
    with pytest.raises(S3DError, match=r"000000\.jpg"):
        read_capture(path, tmp_path / "other")


def test_sens_takes_the_sharpest(tmp_path: Path) -> None:
    """Of two halves, frames 1 and 4 alone show anything but grey."""
    grey = jpeg_like(np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8))
    frames = [tiny_sens_frame(k) if k in (1, 4) else sens_frame(true_pose(k), grey, b"") for k in range(6)]
    path = write_file(tmp_path / "a.sens", sens_header(6) + b"".join(frames))
    assert read(path, FrameChoice(2)).names == ("000001.jpg", "000004.jpg")
    with pytest.raises(S3DError, match="--fps 2 was given, but the capture is no video"):
        read(path, FrameChoice(fps=2.0))


def write_labels(folder: Path, numbers: Iterable[int] = range(FRAMES)) -> Path:
    """The archive of the masks, and the names of the objects."""
    path = folder / "scene0000_00_2d-instance-filt.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in numbers:
            ids = tiny_observation(tiny_camera(number)).instances
            assert ids is not None
            stream = io.BytesIO()
            Image.fromarray(ids.numpy().astype(np.uint8)).save(stream, format="png")
            archive.writestr(f"instance-filt/{number}.png", stream.getvalue())
    groups = [{"objectId": number, "label": label} for number, label in enumerate(("wall", "chair", "sofa"))]
    write_json(folder / "scene0000_00.aggregation.json", {"segGroups": groups})
    write_json(folder / "scene0001_00.aggregation.json", {"segGroups": []})
    return path


def test_sens_with_the_masks_beside_it(tmp_path: Path) -> None:
    """From the archive as it is downloaded; frames that it lacks have none."""
    write_sens(tmp_path / "c")
    write_labels(tmp_path / "c", (0, 2, 3, 4, 5))
    capture = read(tmp_path / "c", FrameChoice(6))
    assert [row.class_name for row in capture.clusters[0].instances] == ["wall", "chair", "sofa"]
    paths = [view.instance_path for view in views_of(capture)]
    assert paths == [None if k == 1 else tmp_path / f"work/instance-filt/{k}.png" for k in range(FRAMES)]
    assert paths[0] is not None
    wanted = tiny_observation(tiny_camera(0)).instances
    assert wanted is not None
    assert np.array_equal(read_counts(paths[0], "instances", where=""), wanted.numpy())
    with zipfile.ZipFile(tmp_path / "c/scene0000_00_2d-instance-filt.zip") as archive:
        archive.extractall(tmp_path / "c")
    assert views_of(read(tmp_path / "c"))[0].instance_path == tmp_path / "c/instance-filt/0.png"


def test_sens_with_a_damaged_archive(tmp_path: Path) -> None:
    write_sens(tmp_path / "c")
    path = write_labels(tmp_path / "c")
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:60] + bytes(40) + content[100:]):
        path.write_bytes(damaged)
        with pytest.raises(S3DError, match=r"2d-instance-filt\.zip cannot be read"):
            read_capture(tmp_path / "c", tmp_path / f"work{len(damaged)}")


def jpeg_like(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="jpeg")
    return stream.getvalue()


def test_sens_two_in_a_folder(tmp_path: Path) -> None:
    write_sens(tmp_path / "c")
    write_file(tmp_path / "c/other.sens", b"")
    with pytest.raises(S3DError, match="no capture that can be recognised"):
        read(tmp_path / "c")
    with pytest.raises(S3DError, match=r"holds 2 \.sens files"):
        read_capture(tmp_path / "c", tmp_path / "work", format="sens")


def test_names_of_objects_come_from_the_aggregation(tmp_path: Path) -> None:
    write_scannet(tmp_path / "c")
    capture = read(tmp_path / "c")
    rows = [(row.id, row.class_name, row.is_thing) for row in capture.clusters[0].instances]
    assert rows == [(1, "wall", False), (2, "chair", True), (3, "chair", True)]
    assert [(entry.id, entry.name, entry.is_thing) for entry in capture.classes] == [(1, "chair", True), (2, "wall", False)]


def test_classes_without_an_aggregation(tmp_path: Path) -> None:
    """`label-filt` gives the numbers, the table of the data set their names; without both, ids are objects."""
    folder = tmp_path / "scans/c"
    write_scannet(folder)
    (folder / "scene0000_00.aggregation.json").unlink()
    assert {(row.class_id, row.class_name) for row in read(folder).clusters[0].instances} == {(1, "class 1"), (5, "class 5")}
    table = tmp_path / "scannetv2-labels.combined.tsv"
    table.write_text("id\traw_category\tnyu40id\n1\twall\t1\n5\tarmchair\t5\n")
    rows = [(row.class_id, row.class_name, row.is_thing) for row in read(folder).clusters[0].instances]
    assert rows == [(1, "wall", False), (5, "armchair", True), (5, "armchair", True)]
    table.write_text("number\tname\n1\twall\n")
    with pytest.raises(S3DError, match=r"combined\.tsv cannot be read"):
        read(folder)
    for path in (folder / "label-filt").iterdir():
        path.unlink()
    assert {row.class_name for row in read(folder).clusters[0].instances} == {"object"}


def test_scannet_poses_that_are_not_finite(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_scannet(tmp_path / "c")
    np.savetxt(tmp_path / "c/pose/1.txt", np.full((4, 4), -np.inf))
    np.savetxt(tmp_path / "c/pose/2.txt", np.full((4, 4), np.nan))
    (tmp_path / "c/pose/5.txt").unlink()
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert read(tmp_path / "c").names == ("0.png", "3.png", "4.png")
    assert "3 of 6 images are left out: they have no pose" in caplog.text
    (tmp_path / "c/pose/0.txt").write_text("1 0 0 0\n")
    with pytest.raises(S3DError, match=r"pose/0.txt is no 4x4 matrix"):
        read(tmp_path / "c")


def test_scannet_images_made_smaller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Intrinsics of 1296x968 with images of 32x24: f = 28 x 1296 / 32 of the full size becomes 28 again."""
    write_scannet(tmp_path / "c")
    full = np.array([[28 * 40.5, 0, 647.5], [0, 28 * 968 / 24, 483.5], [0, 0, 1]])
    np.savetxt(tmp_path / "c/intrinsic/intrinsic_color.txt", full)
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        lens = views_of(read(tmp_path / "c"))[0].lens
    assert lens is not None
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == pytest.approx((28, 28, 16, 12))
    assert "scaled to 32x24" in caplog.text
    np.savetxt(tmp_path / "c/intrinsic/intrinsic_color.txt", full / 2)
    with pytest.raises(S3DError, match="do not belong to images of 32x24"):
        read(tmp_path / "c")


def test_scannet_depth_of_uneven_sizes_and_types(tmp_path: Path) -> None:
    write_scannet(tmp_path / "c")
    write_image(tmp_path / "c/depth/3.png", np.ones((24, 32), dtype=np.uint16))
    with pytest.raises(S3DError, match=r"3\.png is 32x24, but the camera is 16x12"):
        read(tmp_path / "c")
    write_image(tmp_path / "c/depth/3.png", np.ones((12, 16), dtype=np.uint8))
    with pytest.raises(S3DError, match=r"3\.png has pixels of type L"):
        read(tmp_path / "c")


def test_scannet_labels_of_another_size(tmp_path: Path) -> None:
    write_scannet(tmp_path / "c")
    (tmp_path / "c/scene0000_00.aggregation.json").write_text('{"segGroups": [{"objectId": "a"}]}')
    with pytest.raises(S3DError, match="is no aggregation of ScanNet"):
        read(tmp_path / "c")
    (tmp_path / "c/scene0000_00.aggregation.json").unlink()
    write_image(tmp_path / "c/label-filt/0.png", np.ones((3, 4), dtype=np.uint16))
    with pytest.raises(S3DError, match=r"0\.png is 32x24, .*0\.png is 4x3"):
        read(tmp_path / "c")


def test_sens_header_is_what_is_published() -> None:
    """The fixed part: 4 + 8 + name + 4 x 64 + 2 x 4 + 4 x 4 + 4 + 8 bytes, little endian."""
    header = sens_header(7)
    assert len(header) == 12 + 28 + 256 + 36
    assert struct.unpack("<Q", header[-8:]) == (7,)
