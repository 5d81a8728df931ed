"""COLMAP models: lenses, undistortion, files that lie."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, write_image
from s3d_splat.io.readers.colmap import ColmapReader
from s3d_splat.types import Capture, Lens
from tests.io.readers.layouts import write_colmap_binary, write_colmap_text

pycolmap = pytest.importorskip("pycolmap")


def read(folder: Path) -> Capture:
    return ColmapReader().read(folder, folder.with_name("work"))


def seen(*values: float) -> Lens:
    return Lens(*(float(value) for value in values))


def write_camera(folder: Path, text: str) -> None:
    (folder / "sparse/0/cameras.txt").write_text(f"1 {text}\n")


@pytest.mark.parametrize(
    ("text", "lens"),
    [
        ("SIMPLE_PINHOLE 32 24 28 16 12", seen(28, 28, 16, 12, 0, 0, 0, 0)),
        ("PINHOLE 32 24 28 29 16 12", seen(28, 29, 16, 12, 0, 0, 0, 0)),
        ("SIMPLE_RADIAL 32 24 28 16 12 0.1", seen(28, 28, 16, 12, 0.1, 0, 0, 0)),
        ("RADIAL 32 24 28 16 12 0.1 0.2", seen(28, 28, 16, 12, 0.1, 0.2, 0, 0)),
        ("OPENCV 32 24 28 29 16 12 0.1 0.2 0.01 0.02", seen(28, 29, 16, 12, 0.1, 0.2, 0.01, 0.02)),
    ],
)
def test_lenses_that_are_kept(tmp_path: Path, text: str, lens: Lens) -> None:
    write_colmap_text(tmp_path / "c")
    write_camera(tmp_path / "c", text)
    view = read(tmp_path / "c").clusters[0].views[0]
    assert view.lens == lens
    assert view.image_path == tmp_path / "c/images/0.png"


@pytest.mark.parametrize(
    "text",
    [
        "FULL_OPENCV 160 120 140 140 80 60 0.1 0 0 0 0.05 0 0 0",
        "OPENCV_FISHEYE 160 120 140 140 80 60 0.05 0 0 0",
        "SIMPLE_RADIAL_FISHEYE 160 120 140 80 60 0.05",
        "FOV 160 120 140 140 80 60 0.5",
    ],
)
def test_other_lenses_are_undistorted(tmp_path: Path, text: str) -> None:
    """A bright dot where the lens shows the direction (0.3, -0.2, 1) is afterwards where a pinhole camera shows it."""
    folder = tmp_path / "c"
    write_colmap_text(folder)
    write_camera(folder, text)
    model = pycolmap.Reconstruction(str(folder / "sparse/0"))
    x, y = model.cameras[1].img_from_cam(np.array([0.3, -0.2, 1.0]))
    rows, columns = np.mgrid[0:120, 0:160] + 0.5
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    image = np.repeat(dot[..., None], 3, axis=-1).round().astype(np.uint8)
    for index in range(6):
        write_image(folder / f"images/{index}.png", image)
    view = read(folder).clusters[0].views[0]
    assert view.image_path == tmp_path / "work/images/0.png"
    assert view.lens is not None
    assert (view.lens.k1, view.lens.k2, view.lens.p1, view.lens.p2) == (0.0, 0.0, 0.0, 0.0)
    pixels = read_colours(view.image_path, where="")[..., 0].astype(np.float64)
    assert pixels.shape == (view.height, view.width)
    rows, columns = np.mgrid[0 : view.height, 0 : view.width] + 0.5
    centre = [(columns * pixels).sum() / pixels.sum(), (rows * pixels).sum() / pixels.sum()]
    assert centre == pytest.approx([view.lens.fx * 0.3 + view.lens.cx, view.lens.fy * -0.2 + view.lens.cy], abs=0.2)


def test_a_camera_that_sees_all_around(tmp_path: Path) -> None:
    write_colmap_text(tmp_path / "c")
    write_camera(tmp_path / "c", "EQUIRECTANGULAR 32 24 16 12")
    with pytest.raises(S3DError, match=r"0\.png: images of camera model EQUIRECTANGULAR cannot be undistorted"):
        read(tmp_path / "c")


def test_points(tmp_path: Path) -> None:
    write_colmap_text(tmp_path / "c")
    points = read(tmp_path / "c").points
    assert points is not None
    order = torch.argsort(points.points @ torch.tensor([1.0, 2.0, 0.0]))
    assert points.points[order].tolist() == [[0, 0, 3], [1, 0, 3], [0, 1, 3]]
    assert points.colours[order].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    (tmp_path / "c/sparse/0/points3D.txt").write_text("")
    assert read(tmp_path / "c").points is None


@pytest.mark.parametrize("place", ["sparse", "."])
def test_places(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "c"
    write_colmap_text(folder)
    for path in list((folder / "sparse/0").iterdir()):
        path.rename(folder / place / path.name)
    assert len(read(folder).names) == 6


def test_images_in_folders_and_missing_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "c"
    write_colmap_text(folder)
    path = folder / "sparse/0/images.txt"
    path.write_text(path.read_text().replace(" 0.png", " left/0.png").replace(" 1.png", " right/0.png"))
    for old, new in (("0", "left"), ("1", "right")):
        (folder / f"images/{new}").mkdir()
        (folder / f"images/{old}.png").rename(folder / f"images/{new}/0.png")
    (folder / "images/5.png").unlink()
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        capture = read(folder)
    assert capture.names == ("2.png", "3.png", "4.png", "left_0.png", "right_0.png")
    assert "1 of 6 images are left out" in caplog.text


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
@pytest.mark.parametrize("kept", [0, 3, 9, -5])
def test_a_binary_file_cut_short(tmp_path: Path, name: str, kept: int) -> None:
    """Found before it is read: the library itself would take memory without end."""
    write_colmap_binary(tmp_path / "c")
    path = tmp_path / f"c/sparse/{name}.bin"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(S3DError, match=rf"{name}\.bin cannot be read"):
        read(tmp_path / "c")


def test_a_camera_model_of_the_future(tmp_path: Path) -> None:
    write_colmap_binary(tmp_path / "c")
    path = tmp_path / "c/sparse/cameras.bin"
    content = path.read_bytes()
    path.write_bytes(content[:12] + (99).to_bytes(4, "little") + content[16:])
    with pytest.raises(S3DError, match="no camera model 99"):
        read(tmp_path / "c")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cameras", "1 PINHOLE 32 24 28 28\n", "cannot be read"),
        ("cameras", "1 PINHOLE 32 24 28 28 99 12\n", "principal point 99.0"),
        ("cameras", "1 PINHOLE 32 24 -28 28 16 12\n", "focal length -28.0"),
        ("images", "1 1 0 0 0 0 0 0 7 0.png\n\n", "cannot be read"),
        ("images", "", "has no images"),
        ("points3D", "1 0 0\n", "cannot be read"),
    ],
)
def test_a_text_file_that_is_wrong(tmp_path: Path, name: str, text: str, message: str) -> None:
    write_colmap_text(tmp_path / "c")
    (tmp_path / f"c/sparse/0/{name}.txt").write_text(text)
    with pytest.raises(S3DError, match=message):
        read(tmp_path / "c")
