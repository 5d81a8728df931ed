"""Videos: which frames are taken, and that they look as the video is shown."""

from __future__ import annotations

import builtins
import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours, write_image
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.readers.video import equal_parts
from s3d_splat.types import Capture
from tests.io.readers.videos import QUARTERS, blurred_but, quarters, write_video

pytest.importorskip("av")


def read(path: Path, choice: FrameChoice | None = None) -> Capture:
    return read_capture(path, path.parent / "work", choice=choice or FrameChoice())


def first_image(capture: Capture) -> np.ndarray:
    view = capture.clusters[0].views[0]
    return read_colours(view.image_path, where=view.name)


def corners(image: np.ndarray) -> list[np.ndarray]:
    height, width = image.shape[:2]
    places = ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))
    return [image[int(y * height), int(x * width)].astype(int) for y, x in places]


def assert_quarters(image: np.ndarray, order: tuple[int, int, int, int]) -> None:
    """The corners (top left, top right, bottom left, bottom right) show these of the four colours."""
    for found, number in zip(corners(image), order, strict=True):
        assert np.abs(found - QUARTERS[number]).max() < 12


def test_parts_of_the_time() -> None:
    tenths = [k / 10 for k in range(30)]
    assert equal_parts(tenths, 3.0, FrameChoice(fps=10.0)) == list(range(30))
    assert equal_parts(tenths, 3.0, FrameChoice()) == [k // 5 for k in range(30)]
    assert equal_parts(tenths, 3.0, FrameChoice(3)) == [k // 10 for k in range(30)]
    assert equal_parts([0.0, 0.5, 3.0], 3.0, FrameChoice(2)) == [0, 0, 1]
    assert equal_parts([0.0], 0.0, FrameChoice(2)) == [0]


def test_the_sharpest_frames_are_taken(tmp_path: Path) -> None:
    """Two in a second of ten: 3 of the first five, 7 of the next, 10 of the last; names are numbers of frames."""
    path = write_video(tmp_path / "walk.mp4", blurred_but((3, 7, 10), 15))
    capture = read(path)
    assert (capture.format, capture.root) == ("video", path)
    assert capture.names == ("000003.jpg", "000007.jpg", "000010.jpg")
    view = capture.clusters[0].views[0]
    assert (view.width, view.height, view.lens, view.T_cluster_camera) == (64, 48, None, None)
    assert view.image_path == tmp_path / "work/images/000003.jpg"


@pytest.mark.parametrize(("name", "codec"), [("walk.mkv", "ffv1"), ("walk.avi", "ffv1"), ("walk.webm", "libvpx-vp9")])
def test_other_files_and_rates(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, blurred_but((20, 40, 70, 100), 120), rate=60, codec=codec)
    assert read(path).names == ("000020.jpg", "000040.jpg", "000070.jpg", "000100.jpg")


def test_a_count_of_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walk.mp4", blurred_but((1, 8), 10))
    assert read(path, FrameChoice(2)).names == ("000001.jpg", "000008.jpg")
    assert len(read_capture(path, tmp_path / "all", choice=FrameChoice(100)).names) == 10


def test_a_folder_with_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / "c/walk.MOV", blurred_but((2,), 10))
    assert read_capture(tmp_path / "c", tmp_path / "work").format == "video"
    write_video(tmp_path / "c/again.mp4", blurred_but((2,), 10))
    with pytest.raises(S3DError, match=r"holds 2 videos: again\.mp4, walk\.MOV"):
        read_capture(tmp_path / "c", tmp_path / "work")


def test_photos_with_their_moving_pictures(tmp_path: Path) -> None:
    """A phone's folder: for every photo a short video of the same name."""
    for number in range(2):
        write_video(tmp_path / f"c/IMG_{number}.MOV", [quarters()] * 2)
        write_image(tmp_path / f"c/IMG_{number}.JPG", quarters())
    capture = read_capture(tmp_path / "c", tmp_path / "work")
    assert (capture.format, capture.names) == ("raw", ("IMG_0.JPG", "IMG_1.JPG"))


def test_what_an_interrupted_call_wrote_is_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walk.mp4", blurred_but((3, 7), 10))
    read(path)
    first, second = sorted((tmp_path / "work/images").iterdir())
    second.unlink()
    before = first.stat().st_mtime_ns
    assert read(path).names == ("000003.jpg", "000007.jpg")
    assert first.stat().st_mtime_ns == before


ONE = 1 << 16
TURNS = [  # a b _ c d, and where the quarters are then: 0 1 over 2 3
    pytest.param((ONE, 0, 0, 0, ONE), (0, 1, 2, 3), False, id="as it is"),
    pytest.param((0, ONE, 0, -ONE, 0), (2, 0, 3, 1), True, id="a quarter clockwise"),
    pytest.param((0, -ONE, 0, ONE, 0), (1, 3, 0, 2), True, id="a quarter counterclockwise"),
    pytest.param((-ONE, 0, 0, 0, -ONE), (3, 2, 1, 0), False, id="half a turn"),
    pytest.param((-ONE, 0, 0, 0, ONE), (1, 0, 3, 2), False, id="mirrored"),
    pytest.param((ONE, 0, 0, 0, -ONE), (2, 3, 0, 1), False, id="upside down, mirrored"),
    pytest.param((0, ONE, 0, ONE, 0), (0, 2, 1, 3), True, id="transposed"),
    pytest.param((0, -ONE, 0, -ONE, 0), (3, 1, 2, 0), True, id="transposed the other way"),
]


@pytest.mark.parametrize(("turn", "order", "tall"), TURNS)
def test_videos_taken_upright(tmp_path: Path, turn: tuple[int, ...], order: tuple[int, int, int, int], tall: bool) -> None:
    """A point (x, y) is shown at (a x + c y, b x + d y), moved back into the picture."""
    matrix = (*turn, 0, 0, 0, 1 << 30)
    path = write_video(tmp_path / "walk.mp4", [quarters()] * 2, matrix=matrix)
    capture = read(path)
    view = capture.clusters[0].views[0]
    assert (view.width, view.height) == ((48, 64) if tall else (64, 48))
    assert_quarters(first_image(capture), order)


def test_a_turn_between_quarters(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walk.mp4", [quarters()] * 2, matrix=(46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30))
    with pytest.raises(S3DError, match="no quarter turn"):
        read(path)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walk.mp4", [quarters(48, 48)] * 2, aspect=Fraction(4, 3))
    view = read(path).clusters[0].views[0]
    assert (view.width, view.height) == (64, 48)


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    import av

    whole = write_video(tmp_path / "walk.mp4", [quarters()] * 5).read_bytes()
    for name, content in (
        ("empty.mp4", b""),
        ("page.mp4", b"<html>not found</html>"),
        ("cut.mp4", whole[: len(whole) // 2]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(S3DError, match=rf"{name} cannot be read as a video"):
            read(tmp_path / name)
    with av.open(str(tmp_path / "header.mp4"), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        container.start_encoding()
    with pytest.raises(S3DError, match=r"header\.mp4 has no (frames|video)"):
        read(tmp_path / "header.mp4")


def test_a_video_cut_off_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "walk.mkv", [quarters()] * 60, codec="ffv1")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert 4 < len(read(path).names) < 8
    assert "s of 6.0 s: it was cut off" in caplog.text


def test_a_video_that_is_damaged_in_its_middle(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), dtype=np.uint8)
    content = bytearray(write_video(tmp_path / "walk.mp4", list(noise)).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(range(1, 251)) * 16
    (tmp_path / "walk.mp4").write_bytes(content)
    with pytest.raises(S3DError, match=r"walk\.mp4 is damaged after \d\.\d s(.|\n)*ffmpeg -i walk\.mp4"):
        read(tmp_path / "walk.mp4")


def test_sound_alone(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "talk.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(S3DError, match="has no video"):
        read(tmp_path / "talk.mkv")


def test_images_that_change_their_size(tmp_path: Path) -> None:
    """Two streams of MPEG one after the other, as a phone that is turned while it streams writes them."""
    first = write_video(tmp_path / "a.ts", [quarters()] * 5, codec="mpeg2video").read_bytes()
    second = write_video(tmp_path / "b.ts", [quarters(96, 64)] * 5, codec="mpeg2video").read_bytes()
    (tmp_path / "both.ts").write_bytes(first + second)
    with pytest.raises(S3DError, match=r"images of 64x48 are followed by 96x64"):
        read(tmp_path / "both.ts")


def encoded(colours: np.ndarray, transfer: int, *, step: int = 16) -> Any:
    """A 10-bit BT.2020 frame of plain columns; `colours` are non-linear RGB, 0..1."""
    import av

    wide = np.repeat(np.repeat(colours[None], step, axis=1), 32, axis=0)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    frame = av.VideoFrame(wide.shape[1], 32, "yuv444p10le")
    planes = (219 * luma + 16, 224 * (blue - luma) / 1.8814 + 128, 224 * (red - luma) / 1.4746 + 128)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((32, plane.line_size // 2), dtype="<u2")
        rows[:, : wide.shape[1]] = np.round(4 * values)
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = 9, 1, transfer, 9
    return frame


def perceptual_quantizer(luminance: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 of cd/m2."""
    power = (luminance / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hybrid_log_gamma(scene: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 of scene light 0..1."""
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


def srgb(linear: np.ndarray) -> np.ndarray:
    clipped = linear.clip(0, 1)
    return 255 * np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def columns_of(capture: Capture, step: int = 16) -> np.ndarray:
    return first_image(capture)[16, step // 2 :: step].astype(float)


def test_wide_range_pq(tmp_path: Path) -> None:
    """White of 203 cd/m2 is 255; greys follow sRGB, brighter ones are cut off; colours of BT.709 come back as they were."""
    luminance = np.array([0.0, 1, 10, 50, 100, 203, 1000, 4000])
    greys = np.repeat(perceptual_quantizer(luminance)[:, None], 3, axis=1)
    linear = np.array([[0.5, 0.25, 0.1], [0.1, 0.5, 0.2], [0.1, 0.2, 0.5], [0.4, 0.4, 0.1]])
    wider = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    frame = encoded(np.concatenate([greys, perceptual_quantizer(203 * linear @ wider.T)]), 16)
    path = write_video(tmp_path / "a.mkv", [], codec="ffv1", pixels="yuv444p10le", frames=[frame] * 2)
    found = columns_of(read(path))
    assert np.abs(found[:8] - srgb(luminance / 203)[:, None]).max() < 5
    assert np.abs(found[8:] - srgb(linear)).max() < 15


def test_wide_range_hlg(tmp_path: Path) -> None:
    """On a screen of 1000 cd/m2 scene light E is shown as 1000 E^1.2 (BT.2100)."""
    scene = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.26, 0.5, 1.0])
    greys = np.repeat(hybrid_log_gamma(scene)[:, None], 3, axis=1)
    path = write_video(tmp_path / "a.mkv", [], codec="ffv1", pixels="yuv444p10le", frames=[encoded(greys, 18)] * 2)
    assert np.abs(columns_of(read(path)) - srgb(1000 * scene**1.2 / 203)[:, None]).max() < 6


def test_ten_bits_of_ordinary_range(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [quarters()] * 2, codec="ffv1", pixels="yuv420p10le")
    assert_quarters(first_image(read(path)), (0, 1, 2, 3))


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "av" or "video_frames" in name or "video_frames" in str(rest[2] if len(rest) > 2 else ""):
            raise ImportError(name)
        return real(name, *rest, **named)

    (tmp_path / "walk.mp4").touch()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(S3DError, match=r"pip install 's3d-splat\[video\]'"):
        read(tmp_path / "walk.mp4")
