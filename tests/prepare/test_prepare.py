"""`s3d-splat prepare` on a small room in two clusters: one world, one id per object; kills, mistakes and full disks."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.cli import main
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import load_scene
from s3d_splat.prepare import stages
from s3d_splat.prepare.workspace import work_folder
from tests.prepare.box_world import FRAMES, HEIGHT, OBJECTS, WIDTH, box_camera, box_pixels, write_box_capture

FLAGS = ("--alignment.fusion.cell", "0.02")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_box_capture(tmp_path_factory.mktemp("prepare") / "capture")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_box_capture(tmp_path_factory.mktemp("small") / "capture", spans=(range(0, 6), range(3, 9)))


@pytest.fixture(scope="module")
def scene(capture: Path) -> Path:
    folder = capture.parent / "scene"
    main(["prepare", str(capture), str(folder), "--json", *FLAGS])
    return folder


def test_the_scene_is_one_world(scene: Path):
    found = load_scene(scene)
    assert [frame.file_path for frame in found.frames] == [f"images/{index:04d}.png" for index in range(FRAMES)]
    assert [index for index, frame in enumerate(found.frames) if frame.split == "test"] == [4, 12, 20]
    given = torch.stack([frame.camera.T_world_camera for frame in found.frames]).double()
    true = torch.stack([box_camera(index).T_world_camera for index in range(FRAMES)])
    steps = (given[1:, :3, 3] - given[:-1, :3, 3]).norm(dim=1) / (true[1:, :3, 3] - true[:-1, :3, 3]).norm(dim=1)
    assert float(steps.std() / steps.mean()) < 0.02  # the two gauges differed by a factor of 1.5
    turned = given[:, :3, :3] @ true[:, :3, :3].mT
    assert float((turned - turned[0]).abs().max()) < 0.02


def test_depth_is_in_the_units_of_the_poses(scene: Path):
    found = load_scene(scene)
    centres = torch.stack([frame.camera.T_world_camera[:3, 3] for frame in found.frames])
    true = torch.stack([box_camera(index).T_world_camera[:3, 3] for index in range(FRAMES)])
    scale = float((centres[0] - centres[-1]).norm() / (true[0] - true[-1]).norm())
    for index in (0, 12, 23):
        depth = load_observation(found.frames[index]).depth
        assert depth is not None
        ratio = depth / (scale * box_pixels(box_camera(index))[1])
        assert float((ratio.median() - 1).abs()) < 0.02


def test_an_object_has_one_id(scene: Path):
    found = load_scene(scene)
    ids: dict[int, set[int]] = {}
    for index, frame in enumerate(found.frames):
        masks = load_observation(frame).instances
        assert masks is not None
        walls = torch.from_numpy(box_pixels(box_camera(index))[2].astype(np.int64))
        for wall in range(1, OBJECTS + 1):
            here = masks[walls == wall]
            if len(here) > 100:
                ids.setdefault(wall, set()).add(int(here.mode().values))
    assert len(ids) >= 5  # so many the walk sees well
    assert all(len(found_ids) == 1 for found_ids in ids.values()), ids
    assert len({min(found_ids) for found_ids in ids.values()}) == len(ids)
    names = {entry.id: entry.class_name for entry in found.instances}
    assert all(names[min(found_ids)] == ("odd", "even")[wall % 2] for wall, found_ids in ids.items())


def test_the_report_and_nothing_else_is_left(scene: Path):
    html = (scene / "prepare_report.html").read_text()
    assert f"A scene of all {FRAMES} images, from 2 clusters" in html
    assert not work_folder(scene).exists()
    assert not list(scene.parent.glob(".partial*"))


def test_the_priors_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture):
    small = write_box_capture(tmp_path / "capture", masks=False, spans=(range(0, 8),))
    with caplog.at_level(logging.INFO, "s3d_splat"):
        main(["prepare", str(small), str(tmp_path / "scene"), "--json", *FLAGS])
    assert "geometry: given" in caplog.text
    assert "masks: felzenszwalb (no learned weights: regions of even colour, not objects)" in caplog.text
    summary = json.loads(capsys.readouterr().out)
    assert summary["masks"] == "felzenszwalb"
    assert summary["frames"] == 8
    assert summary["things"] > 0


def test_a_killed_call_goes_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    done: list[str] = []
    align = stages.align

    def counted(*arguments, **options):
        done.append("align")
        return align(*arguments, **options)

    monkeypatch.setattr(stages, "align", counted)
    command = ["prepare", str(small), str(tmp_path / "scene"), "--json", *FLAGS]
    with monkeypatch.context() as patched:
        patched.setattr(stages, "assign_ids", interrupted)
        with pytest.raises(SystemExit) as stopped:
            main(command)
    assert stopped.value.code == 130
    assert not (tmp_path / "scene").exists()
    with caplog.at_level(logging.INFO, "s3d_splat"):
        main(command)
    assert done == ["align"]
    assert "going on with the stages that an earlier call finished" in caplog.text
    assert (tmp_path / "scene" / "transforms.json").exists()
    assert not work_folder(tmp_path / "scene").exists()


def test_a_call_from_another_folder_goes_on(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first call names the capture and the scene from where it stands, the second from elsewhere."""
    monkeypatch.chdir(small.parent)
    with monkeypatch.context() as patched:
        patched.setattr(stages, "fuse", interrupted)
        with pytest.raises(SystemExit):
            main(["prepare", small.name, str(tmp_path / "scene"), "--json", *FLAGS])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "align", interrupted)  # not asked for again
    main(["prepare", str(small), "scene", "--json", *FLAGS])
    assert (tmp_path / "scene" / "transforms.json").exists()


def test_images_that_are_passed_over_did_not_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    capture = write_box_capture(tmp_path / "capture", spans=(range(0, 8),))
    main(["prepare", str(capture), str(tmp_path / "scene"), "--json", "--alignment.clusters.keep-every", "2", *FLAGS])
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    assert "could not be placed" not in caplog.text
    assert "passed over by --alignment.clusters.keep-every: 4." in (tmp_path / "scene/prepare_report.html").read_text()


def interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_loses_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = ["prepare", str(small), str(tmp_path / "scene"), "--json", *FLAGS]
    with monkeypatch.context() as patched:
        patched.setattr(stages, "fuse", full_disk)
        refused(command, ["the disk is full", "the same command again"], capsys)
    monkeypatch.setattr(stages, "align", interrupted)  # not asked for again
    main(command)
    assert (tmp_path / "scene" / "transforms.json").exists()


def full_disk(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "proxy")


def wrong_axes(capture: Path) -> None:
    def flip(frame: dict) -> None:
        frame["transform_matrix"] = [[row[0], -row[1], -row[2], row[3]] for row in frame["transform_matrix"]]

    change_frames(capture, flip)


def inverted(capture: Path) -> None:
    def invert(frame: dict) -> None:
        frame["transform_matrix"] = np.linalg.inv(np.array(frame["transform_matrix"])).tolist()

    change_frames(capture, invert)


def change_frames(capture: Path, change: Callable[[dict], None]) -> None:
    for path in capture.glob("clusters/*/transforms.json"):
        meta = json.loads(path.read_text())
        for frame in meta["frames"]:
            change(frame)
        path.write_text(json.dumps(meta))


def metres_as_millimetres(capture: Path) -> None:
    for path in capture.glob("clusters/*/transforms.json"):
        meta = json.loads(path.read_text())
        path.write_text(json.dumps(meta | {"depth_scale": meta["depth_scale"] * 1000}))


def empty_masks(capture: Path) -> None:
    for path in capture.glob("clusters/*/instances/*.png"):
        Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(path)


def black(capture: Path) -> None:
    for path in sorted(capture.glob("images/*.png"))[5:]:
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(path)


def one_image(capture: Path) -> None:
    shutil.rmtree(capture / "clusters")
    for path in sorted(capture.glob("images/*.png"))[1:]:
        path.unlink()


def no_overlap(capture: Path) -> None:
    path = capture / "clusters" / "1" / "transforms.json"
    meta = json.loads(path.read_text())
    meta["frames"] = [frame for frame in meta["frames"] if int(Path(frame["file_path"]).stem) >= 14]
    path.write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_axes, ["the poses of cluster 0 are in the wrong axes", "OpenCV axes instead of OpenGL axes"]),
        (inverted, ["the poses of cluster 0 are in the wrong axes", "world to camera with OpenGL axes"]),
        (metres_as_millimetres, ["the depth of cluster 0 is in the wrong unit", "0.001"]),
        (empty_masks, ["instance masks", "all empty", "--masks felzenszwalb"]),
        (black, ["19 of the 24 images", "are black", "0005.png"]),
        (one_image, ["one image only"]),
        (no_overlap, ["cluster 1 (0014.png to 0023.png): no image in common with cluster 0"]),
    ],
)
def test_mistakes_are_named_before_any_long_work(
    spoil: Callable[[Path], None],
    words: list[str],
    capture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    spoilt = shutil.copytree(capture, tmp_path / "capture")
    spoil(spoilt)
    monkeypatch.setattr(stages, "align", interrupted)
    refused(["prepare", str(spoilt), str(tmp_path / "scene")], words, capsys)
    assert not (tmp_path / "scene").exists()


def test_an_existing_scene_is_refused_at_once(scene: Path, capture: Path, capsys: pytest.CaptureFixture[str]):
    before = (scene / "transforms.json").read_bytes()
    refused(["prepare", str(capture), str(scene)], ["exists already"], capsys)
    assert (scene / "transforms.json").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--test-every", "1"], ["--test-every 1 leaves no frame"]),
        (["--alignment.fusion.cells", "0"], ["--alignment.fusion.cells 0 cannot be used", "4000000"]),
        (["--alignment.fusion.cell", "nan"], ["--alignment.fusion.cell nan cannot be used"]),
        (["--colmap.threads", "0"], ["--colmap.threads 0 cannot be used", "at least 1"]),
        (["--felzenszwalb.smallest", "2"], ["--felzenszwalb.smallest 2.0 cannot be used", "at most 0.5"]),
        (["--format", "nothing"], ["nothing", "raw"]),
    ],
)
def test_flags_that_cannot_be_are_refused(
    flags: list[str], words: list[str], capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused(["prepare", str(capture), str(tmp_path / "scene"), *flags], words, capsys)
    assert not list(tmp_path.iterdir())


def refused(arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    for word in ("error:", "why:", "fix:", *words):
        assert word in said
