"""A rig in front of the camera, from the images to the scene folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.cli import main
from s3d_splat.io.observations import load_mask, load_observation
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare.ego import with_ego_masks
from s3d_splat.types import CaptureCluster, CaptureView
from tests.prepare.box_world import FRAMES, HEIGHT, WIDTH, write_box_capture

FLAGS = ("--alignment.fusion.cell", "0.02", "--json")
BACK = 12  # millimetres: where the sensor sees the rig


def rig_pixels() -> np.ndarray:
    """A corner of the image."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    return (row < 20) & (column < 16)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def write_rigged_capture(folder: Path) -> Path:
    """The walk through the box in two clusters, with a rig in its images, its depth and its masks."""
    write_box_capture(folder)
    colours = np.random.default_rng(0).integers(20, 160, (HEIGHT, WIDTH, 1)).repeat(3, axis=2)
    values = {"images": colours, "depth": np.full((HEIGHT, WIDTH), BACK), "instances": np.full((HEIGHT, WIDTH), 1)}
    for path in folder.rglob("*.png"):
        pixels = np.array(Image.open(path))
        value = values[path.parent.name] + (20 if path.parts[-3:-1] == ("1", "instances") else 0)
        pixels[rig_pixels()] = value[rig_pixels()]
        Image.fromarray(pixels).save(path)
    return folder


def add_own_mask(capture: Path, index: int) -> np.ndarray:
    """A mask of one image's own, in every cluster that holds it; returns it."""
    keep = np.broadcast_to(np.arange(HEIGHT)[:, None] < 40, (HEIGHT, WIDTH))
    for cluster in (capture / "clusters").iterdir():
        (cluster / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.where(keep, 255, 0).astype(np.uint8)).save(cluster / "masks" / f"{index:04d}.png")
    return keep


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_rigged_capture(tmp_path_factory.mktemp("rigged") / "capture")
    add_own_mask(folder, 3)
    return folder


@pytest.fixture(scope="module")
def scene(capture: Path) -> Path:
    folder = capture.parent / "scene"
    main(["prepare", str(capture), str(folder), *FLAGS])
    return folder


def test_the_rig_is_masked_in_every_frame(scene: Path):
    rows = json.loads((scene / "transforms.json").read_text())["frames"]
    own = [row["mask_path"] for row in rows if row["mask_path"] != "masks/ego.png"]
    assert (len(rows), own) == (FRAMES, ["masks/0003.png"])
    stored = np.asarray(Image.open(scene / "masks/ego.png"))
    assert (stored.dtype, set(np.unique(stored))) == (np.uint8, {0, 255})
    assert iou(stored == 0, rig_pixels()) > 0.85


def test_a_mask_of_the_capture_is_kept_beside_it(scene: Path):
    ego, joined = (np.asarray(Image.open(scene / "masks" / name)) > 0 for name in ("ego.png", "0003.png"))
    assert np.array_equal(joined, ego & (np.arange(HEIGHT)[:, None] < 40))


def test_nothing_of_the_rig_is_in_the_scene(scene: Path):
    found = load_scene(scene)
    for frame in found.frames:
        seen = load_observation(frame)
        assert seen.depth is not None
        assert seen.mask is not None
        assert not seen.depth[~seen.mask].any()
        stored = np.asarray(Image.open(frame.instance_path))
        assert not stored[~seen.mask.numpy()].any()
    centres = torch.stack([frame.camera.T_world_camera[:3, 3] for frame in found.frames])
    assert float(torch.cdist(found.proxy.points, centres).min()) > 0.1  # the rig is at 12 mm


def test_the_report_shows_it(scene: Path):
    page = (scene / "prepare_report.html").read_text()
    assert f"of {FRAMES} images shows what carries the camera" in page
    assert "data:image/jpeg;base64," in page


def test_it_can_be_left(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    main(["prepare", str(capture), str(tmp_path / "scene"), "--no-ego-mask", *FLAGS])
    assert json.loads(capsys.readouterr().out)["ego_share"] == 0
    frames = load_scene(tmp_path / "scene").frames
    assert [frame.mask_path.name for frame in frames] == ["all.png"] * 3 + ["0003.png"] + ["all.png"] * (FRAMES - 4)
    masks = [load_mask(frame) for frame in frames[2:4]]
    assert masks[0].all()
    assert masks[1].equal(torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH) < 40)


def test_a_walk_without_rig_has_no_masks(tmp_path: Path):
    folder = write_box_capture(tmp_path / "capture")
    views = tuple(CaptureView(path.name, path, WIDTH, HEIGHT, None, None) for path in sorted((folder / "images").iterdir()))
    found = with_ego_masks([CaptureCluster(views)], tmp_path / "files")
    assert (found.clusters, found.rigs) == ((CaptureCluster(views),), ())
    assert not (tmp_path / "files").exists()


def test_each_camera_has_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """One camera sees its rig, the other, in another folder, has none; images of the first are in both clusters."""
    rigged, free = write_rigged_capture(tmp_path / "rigged"), write_box_capture(tmp_path / "free")
    views = [
        CaptureView(f"{number}_{path.name}", path, WIDTH, HEIGHT, None, None)
        for number, folder in enumerate((rigged, free))
        for path in sorted((folder / "images").iterdir())
    ]
    clusters = [CaptureCluster(tuple(views[:30])), CaptureCluster(tuple(views[20:]))]
    with caplog.at_level(logging.INFO, logger="s3d_splat"):
        found = with_ego_masks(clusters, tmp_path / "files")
    assert [(rig.mask.name, rig.images) for rig in found.rigs] == [("ego.png", FRAMES)]
    for cluster in found.clusters:
        for view in cluster.views:
            assert (view.mask_path is not None) == view.name.startswith("0_")
    assert f"of {FRAMES} images shows what carries the camera" in caplog.text
