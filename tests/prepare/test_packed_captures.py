"""`s3d-splat prepare` on captures that are one file: a recording with poses and depth, a video."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.cli import main
from s3d_splat.io.images import read_counts
from s3d_splat.io.readers import scannet_sens
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare.workspace import work_folder
from tests.io.readers.layouts import sens_frame, sens_header
from tests.prepare.box_world import HEIGHT, WIDTH, box_camera, box_pixels

FRAMES = 8
FLAGS = ("--json", "--alignment.fusion.cell", "0.02", "--no-ego-mask")


def jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="jpeg", quality=95)
    return stream.getvalue()


def counts_of(index: int) -> np.ndarray:
    _, depth, _ = box_pixels(box_camera(index))
    return (depth.double() * 1000).round().numpy().astype("<u2")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    camera = box_camera(0)
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2] = camera.fx, camera.fy, camera.cx - 0.5, camera.cy - 0.5
    size = {"size": (WIDTH, HEIGHT), "depth_size": (WIDTH, HEIGHT), "colour_matrix": matrix, "depth_matrix": matrix}
    content = sens_header(FRAMES, **size)
    for index in range(FRAMES):
        camera = box_camera(index)
        pixels = box_pixels(camera)[0]
        content += sens_frame(camera.T_world_camera.numpy(), jpeg(pixels), zlib.compress(counts_of(index).tobytes()))
    path = tmp_path_factory.mktemp("recording") / "room.sens"
    path.write_bytes(content)
    return path


def test_a_recording_becomes_a_scene(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Images bit for bit, depth in millimetres (of one scale, which is sought anew), poses as they were recorded."""
    main(["prepare", str(recording), str(tmp_path / "scene"), *FLAGS])
    assert json.loads(capsys.readouterr().out)["format"] == "sens"
    scene = load_scene(tmp_path / "scene")
    assert [frame.file_path for frame in scene.frames] == [f"images/{index:06d}.jpg" for index in range(FRAMES)]
    for index, frame in enumerate(scene.frames):
        assert frame.image_path.read_bytes() == jpeg(box_pixels(box_camera(index))[0])
        assert frame.depth_path is not None
        assert read_counts(frame.depth_path, "depth", where="") == pytest.approx(counts_of(index), rel=3e-3, abs=1)
        wanted = box_camera(index).T_world_camera.numpy()
        assert frame.camera.T_world_camera.numpy() == pytest.approx(wanted, abs=1e-4)


def test_unpacking_goes_on_where_it_was_killed(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Killed at the fifth depth image; the second call writes the other four alone."""
    command = ["prepare", str(recording), str(tmp_path / "scene"), *FLAGS]
    written: list[str] = []
    write = scannet_sens.write_image

    def counted(path: Path, pixels: np.ndarray) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, pixels)

    with monkeypatch.context() as patched:
        patched.setattr(scannet_sens, "write_image", counted)
        with pytest.raises(SystemExit) as stopped:
            main(command)
    assert stopped.value.code == 130
    assert work_folder(tmp_path / "scene").exists()
    again: list[str] = []

    def noted(path: Path, pixels: np.ndarray) -> None:
        again.append(path.name)
        write(path, pixels)

    monkeypatch.setattr(scannet_sens, "write_image", noted)
    main(command)
    assert sorted(written + again) == [f"{index:06d}.png" for index in range(FRAMES)]
    assert not work_folder(tmp_path / "scene").exists()


def test_frames_are_chosen_by_a_flag(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["prepare", str(recording), str(tmp_path / "scene"), *FLAGS, "--frames", "4"])
    assert json.loads(capsys.readouterr().out)["frames"] == 4


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--frames", "1"), "--frames 1 is too few"),
        (("--frames", "5", "--fps", "2"), "were given together"),
        (("--fps", "2"), "the capture is no video"),
    ],
)
def test_flags_that_cannot_be(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
):
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", str(recording), str(tmp_path / "scene"), *FLAGS, *flags])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert not work_folder(tmp_path / "scene").exists()


def test_a_file_that_is_no_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "walk.mp4").write_bytes(b"")
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", str(tmp_path / "walk.mp4"), str(tmp_path / "scene")])
    assert stopped.value.code == 2
    assert "walk.mp4 cannot be read as a video" in capsys.readouterr().err
