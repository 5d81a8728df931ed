"""Photos as phones write them: turned by a tag, in several sizes, in other formats, in the folder itself."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, write_image
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.readers.sharpness import choose, file_sharpness, sharpness
from s3d_splat.types import Capture
from tests.io.readers.layouts import INTRINSICS, write_json, write_pixels
from tests.io.readers.videos import QUARTERS, quarters

ORIENTATION, FOCAL_35MM = 0x0112, 0xA405
STORED = {  # where the four quarters of the upright image lie when it is stored for each value of the tag
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}


def write_photo(path: Path, pixels: np.ndarray, orientation: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(0x8769)[FOCAL_35MM] = 26
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, quality=95)


def read(folder: Path, choice: FrameChoice | None = None) -> Capture:
    return read_capture(folder, folder.with_name("work"), choice=choice or FrameChoice())


@pytest.mark.parametrize("orientation", STORED)
def test_photos_are_taken_upright(tmp_path: Path, orientation: int) -> None:
    """However it is stored, red is top left, blue top right, green bottom left; the focal length stays, the tag goes."""
    folder = tmp_path / "c"
    write_photo(folder / "IMG_1.JPG", STORED[orientation](quarters()), orientation)
    before = (folder / "IMG_1.JPG").read_bytes()
    (view,) = read(folder).clusters[0].views
    assert (view.name, view.width, view.height) == ("IMG_1.JPG", 64, 48)
    image = read_colours(view.image_path, where="")
    for place, colour in zip(((12, 16), (12, 48), (36, 16), (36, 48)), QUARTERS, strict=True):
        assert np.abs(image[place].astype(int) - colour).max() < 12
    with Image.open(view.image_path) as written:
        exif = written.getexif()
        assert exif.get(ORIENTATION, 1) == 1
        assert exif.get_ifd(0x8769)[FOCAL_35MM] == 26
    assert (view.image_path == folder / "IMG_1.JPG") == (orientation == 1)
    assert (folder / "IMG_1.JPG").read_bytes() == before


def test_tags_that_mean_nothing(tmp_path: Path) -> None:
    write_photo(tmp_path / "c/0.jpg", quarters(), 0)
    write_photo(tmp_path / "c/1.jpg", quarters(), 9)
    assert all(view.image_path.parent == tmp_path / "c" for view in read(tmp_path / "c").clusters[0].views)


def test_images_with_a_camera_stay_as_they_are_stored(tmp_path: Path) -> None:
    """Unless the camera is that of the upright image."""
    folder = tmp_path / "c"
    write_photo(folder / "images/0.jpg", quarters(), 6)
    frames = [{"file_path": "images/0.jpg"}]
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS | {"w": 64, "h": 48}, "frames": frames})
    (view,) = read(folder).clusters[0].views
    assert (view.image_path, view.width, view.height) == (folder / "images/0.jpg", 64, 48)
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS | {"w": 48, "h": 64}, "frames": frames})
    (view,) = read(folder).clusters[0].views
    assert (view.image_path, view.width, view.height) == (tmp_path / "work/images/0.jpg", 48, 64)


def test_sizes_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index, size in enumerate(((64, 48), (64, 48), (48, 64))):
        write_image(tmp_path / f"c/{index}.png", quarters(*size))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        read(tmp_path / "c")
    assert "2 sizes (2 of 64x48, 1 of 48x64); each is taken for a camera of its own" in caplog.text


def test_names_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("IMG_10.png", "IMG_9.png", "img_1.png", "notes.txt", ".hidden.png"):
        write_image(tmp_path / f"c/{name}", quarters()) if name.endswith("png") else (tmp_path / "c" / name).touch()
    assert read(tmp_path / "c").names == ("img_1.png", "IMG_9.png", "IMG_10.png")


def test_other_formats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for name in ("IMG_1.HEIC", "IMG_2.heic", "IMG_3.DNG"):
        (folder / name).touch()
    with pytest.raises(S3DError, match=r"another format alone: 1 \.dng, 2 \.heic(.|\n)*magick mogrify.*\*\.heic"):
        read(folder)
    write_pixels(0, image=folder / "IMG_0.png")
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert read(folder).names == ("IMG_0.png",)
    assert "1 .dng, 2 .heic are passed over" in caplog.text
    (folder / "images").mkdir()
    (folder / "images/IMG_1.HEIC").touch()
    with pytest.raises(S3DError, match=r"images has photos of another format alone: 1 \.heic"):
        read(folder)


def test_clusters_of_images_in_the_folder_itself(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write_pixels(0, image=folder / "0.png", depth=folder / "clusters/0/depth/0.png")
    row = {"file_path": "0.png", "transform_matrix": np.eye(4).tolist()}
    write_json(folder / "clusters/0/transforms.json", INTRINSICS | {"depth_scale": 0.001, "frames": [row]})
    assert read(folder).clusters[0].views[0].depth_path == folder / "clusters/0/depth/0.png"


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    """A single bright pixel: its Laplacian is -4 times it there, once at four neighbours, 0 in the mean."""
    grey = np.zeros((10, 10), dtype=np.uint8)
    assert sharpness(grey) == 0
    grey[5, 5] = 10
    assert sharpness(grey) == pytest.approx((40**2 + 4 * 10**2) / 100)


def test_choosing() -> None:
    """Parts of 3, 3 and 4 of ten items; the first of equally sharp ones."""
    scores = [0, 5, 5, 1, 0, 2, 9, 9, 9, 10]
    assert choose(range(10), FrameChoice(3), lambda item: float(scores[item])) == [1, 5, 9]
    assert choose(range(10), FrameChoice(10), lambda item: 0.0) == list(range(10))
    assert choose(range(3), FrameChoice(100), lambda item: 0.0) == [0, 1, 2]
    assert choose(range(3), FrameChoice(), lambda item: 0.0) == [0, 1, 2]


@pytest.mark.parametrize(
    ("count", "fps", "message"),
    [(1, None, "--frames 1 is too few"), (None, 0.0, "--fps 0"), (None, float("nan"), "--fps nan"), (5, 2.0, "together")],
)
def test_choices_that_cannot_be(count: int | None, fps: float | None, message: str) -> None:
    with pytest.raises(S3DError, match=message):
        FrameChoice(count, fps)


def test_sharpness_of_large_files_is_measured_small(tmp_path: Path) -> None:
    """A pattern of single pixels, which no lens draws, vanishes at the size of the measure; stripes of 40 px do not."""
    noise, stripes = np.zeros((960, 1920, 3), dtype=np.uint8), np.zeros((960, 1920, 3), dtype=np.uint8)
    noise[:, ::2] = 255
    stripes[:, np.arange(1920) // 40 % 2 == 0] = 255
    for name, image in (("noise", noise), ("stripes", stripes)):
        write_image(tmp_path / f"{name}.png", image)
    assert file_sharpness(tmp_path / "noise.png") < 1
    assert file_sharpness(tmp_path / "stripes.png") > 100
