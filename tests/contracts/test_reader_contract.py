"""What every reader of captures promises, on the same small world in every layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import unproject_depth
from s3d_splat.io.images import read_counts
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.io.readers.registry import READERS, read_capture
from s3d_splat.types import Camera, Capture, CaptureView
from tests.io.readers.layouts import LAYOUTS, Layout, true_pose
from tests.scene_fixtures import FRAMES, HEIGHT, WIDTH

PLANES = torch.tensor([2.0, 2.4, 3.0], dtype=torch.float64)  # where the surfaces of the tiny world are, along z

FILES = [
    pytest.param(layout, file, id=f"{name}: {file}")
    for name, layout in LAYOUTS.items()
    for file in (layout.image, layout.depth, layout.mask)
    if file is not None
]
WITH_SIZE = [param for param in FILES if param.values[0].has_cameras]  # without a camera nothing says what size is right
PACKED = [
    pytest.param(layout, layout.packed, id=f"{name}: {layout.packed}")
    for name, layout in LAYOUTS.items()
    if layout.packed is not None
]


@pytest.fixture(params=sorted(LAYOUTS))
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


@pytest.fixture
def folder(layout: Layout, tmp_path: Path) -> Path:
    layout.write(tmp_path / "capture")
    return tmp_path / "capture"


def views_of(capture: Capture) -> list[CaptureView]:
    return [view for cluster in capture.clusters for view in cluster.views]


def test_it_is_recognised_and_in_order(layout: Layout, folder: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    capture = read_capture(folder, tmp_path / "work", advance=lambda done, total: calls.append((done, total)))
    assert capture.format == layout.format
    assert capture.root == folder
    assert len(capture.names) == len(set(capture.names)) == FRAMES
    assert list(capture.names) == sorted(capture.names)
    for cluster in capture.clusters:
        order = [capture.names.index(view.name) for view in cluster.views]
        assert order == sorted(order)
    assert calls[-1][0] == calls[-1][1]


def test_every_file_is_standard(folder: Path, tmp_path: Path) -> None:
    """8-bit colours, 16-bit depth, masks, all of the size that the view says."""
    for view in views_of(read_capture(folder, tmp_path / "work")):
        assert (view.width, view.height) == (WIDTH, HEIGHT)
        modes = {view.image_path: "RGB", view.depth_path: "I;16", view.confidence_path: "L"}
        for path, mode in modes.items():
            if path is not None:
                with Image.open(path) as image:
                    assert image.size == (WIDTH, HEIGHT)
                    assert image.mode == mode or (mode == "I;16" and image.mode == "I")


def test_cameras_stand_where_they_stood(layout: Layout, folder: Path, tmp_path: Path) -> None:
    capture = read_capture(folder, tmp_path / "work")
    for view in views_of(capture):
        assert (view.T_cluster_camera is not None) == (view.lens is not None) == layout.has_cameras
        if view.T_cluster_camera is None:
            continue
        assert view.T_cluster_camera.dtype == torch.float64
        assert view.T_cluster_camera.numpy() == pytest.approx(true_pose(capture.names.index(view.name)), abs=1e-6)
        assert view.lens is not None
        assert (view.lens.fx, view.lens.cx, view.lens.k1) == (layout.focal, WIDTH / 2, 0.0)


def test_depth_and_camera_give_the_world(layout: Layout, folder: Path, tmp_path: Path) -> None:
    """Points of depth, pose and lens lie on the planes of the world, in whatever unit and camera depth was stored."""
    for view in views_of(read_capture(folder, tmp_path / "work")):
        assert (view.depth_path is not None) == (layout.depth is not None or layout.has_depth)
        if view.depth_path is None:
            continue
        assert view.lens is not None
        assert view.T_cluster_camera is not None
        lens = view.lens
        counts = read_counts(view.depth_path, "depth", where=view.name).astype(np.float64)
        depth = torch.from_numpy(counts * view.depth_scale)
        camera = Camera(view.T_cluster_camera, lens.fx, lens.fy, lens.cx, lens.cy, WIDTH, HEIGHT)
        heights = unproject_depth(depth, camera)[..., 2]
        distance = (heights[depth > 0][:, None] - PLANES).abs().min(dim=1).values
        assert float((depth > 0).double().mean()) > 0.85
        assert float(distance.max()) < 1e-3


def test_masks_hold_ids_of_the_table(layout: Layout, folder: Path, tmp_path: Path) -> None:
    capture = read_capture(folder, tmp_path / "work")
    for cluster in capture.clusters:
        table = {entry.id for entry in cluster.instances}
        classes = {entry.id for entry in capture.classes}
        assert {entry.class_id for entry in cluster.instances} <= classes
        for view in cluster.views:
            assert (view.instance_path is None) == (layout.mask is None)
            if view.instance_path is not None:
                assert set(np.unique(read_counts(view.instance_path, "instances", where=view.name))) <= table | {0}


def test_nothing_of_the_capture_is_changed(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read_capture(folder, tmp_path / "work")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("written", "file"), FILES + PACKED)
def test_a_file_cut_short_is_named(written: Layout, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    written.write(folder)
    path = folder / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 40])
    with pytest.raises(S3DError, match=path.name):
        read_capture(folder, tmp_path / "work")


@pytest.mark.parametrize(("written", "file"), WITH_SIZE)
def test_a_file_of_another_size_is_named(written: Layout, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    written.write(folder)
    with Image.open(folder / file) as image:
        image.load()
        smaller = image.resize((WIDTH - 2, HEIGHT), Image.Resampling.NEAREST)
    smaller.save(folder / file)
    with pytest.raises(S3DError, match=f"{WIDTH - 2}x{HEIGHT}|{WIDTH}x{HEIGHT}"):
        read_capture(folder, tmp_path / "work")


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_format_that_is_not_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(S3DError):
        read_capture(tmp_path / "empty", tmp_path / "work", format=name)


def test_nothing_recognised(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match=r"no capture that can be recognised(.|\n)*transforms\.json"):
        read_capture(tmp_path, tmp_path / "work")


def test_no_folder_and_no_format(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="does not exist"):
        read_capture(tmp_path / "nowhere", tmp_path / "work")
    (tmp_path / "walk.txt").touch()
    with pytest.raises(S3DError, match=r"walk.txt is no capture that can be recognised"):
        read_capture(tmp_path / "walk.txt", tmp_path / "work")
    with pytest.raises(S3DError, match=r"no capture format is called 'film'(.|\n)*colmap"):
        read_capture(tmp_path, tmp_path / "work", format="film")


def test_the_format_can_be_chosen(tmp_path: Path) -> None:
    """A nerfstudio folder read as a raw capture: the images alone."""
    LAYOUTS["nerfstudio"].write(tmp_path / "capture")
    capture = read_capture(tmp_path / "capture", tmp_path / "work", format="raw")
    assert capture.format == "raw"
    assert all(view.lens is None and view.T_cluster_camera is None for view in views_of(capture))


def test_some_images_are_chosen(layout: Layout, folder: Path, tmp_path: Path) -> None:
    """One of each half, in the order of time; clusters are joined by what they share, and are not thinned out."""
    if (folder / "clusters").exists():
        with pytest.raises(S3DError, match="has clusters"):
            read_capture(folder, tmp_path / "work", choice=FrameChoice(2))
        return
    everything = read_capture(folder, tmp_path / "all").names
    names = read_capture(folder, tmp_path / "work", choice=FrameChoice(2)).names
    first, second = (everything.index(name) for name in names)
    assert first < FRAMES / 2 <= second


def test_what_an_interrupted_call_wrote_is_taken(layout: Layout, folder: Path, tmp_path: Path) -> None:
    before = read_capture(folder, tmp_path / "work")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    after = read_capture(folder, tmp_path / "work")
    assert after.names == before.names
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()} == written
