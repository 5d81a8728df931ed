"""`prepare --executor ray`: the same scene, and a killed worker costs its cluster alone."""

from __future__ import annotations

import filecmp
import importlib.util
import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from s3d_splat.cli import main
from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.executors.local import LocalExecutor
from s3d_splat.executors.options import RayOptions
from s3d_splat.executors.registry import make_executor
from s3d_splat.prepare.parts import Part
from s3d_splat.prepare.workspace import Workspace
from tests.prepare.box_world import write_box_capture

NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
FLAGS = ("--alignment.fusion.cell", "0.02", "--masks", "felzenszwalb")


def scene_files(scene: Path) -> list[str]:
    """All that is written, without the report, which tells seconds."""
    return sorted(str(path.relative_to(scene)) for path in scene.rglob("*") if path.is_file() and path.suffix != ".html")


@NO_RAY
def test_ray_makes_the_same_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = write_box_capture(tmp_path / "capture", spans=(range(0, 6), range(3, 9)))
    here, there = tmp_path / "here", tmp_path / "there"
    main(["prepare", str(capture), str(here), "--json", *FLAGS])
    local = json.loads(capsys.readouterr().out)
    main(["prepare", str(capture), str(there), "--json", "--executor", "ray", "--ray.workers", "2", *FLAGS])
    ray = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name: value for name, value in ray.items() if name not in ("seconds", "seconds_by_stage", "scene")} == {
        name: value for name, value in local.items() if name not in ("seconds", "seconds_by_stage", "scene")
    }
    names = scene_files(here)
    assert names == scene_files(there)
    assert filecmp.cmpfiles(here, there, names, shallow=False) == (names, [], [])


def number_of(folder: Path, number: int, dies: bool, files: Path, advance: Advance) -> int:
    """A part that counts how often it was made, and may be killed."""
    (folder / f"made-{number}").write_bytes((folder / f"made-{number}").read_bytes() + b"x")
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    (files / "own").touch()
    return 10 * number


def parts_of(folder: Path, dying: int | None) -> list[Part[int]]:
    return [Part(f"part {i}", "options", partial(number_of, folder, i, i == dying)) for i in range(3)]


@NO_RAY
def test_a_killed_worker_costs_its_own_part(tmp_path: Path) -> None:
    """The second call makes the dead part alone; the stage after them is done once they are all there."""
    for i in range(3):
        (tmp_path / f"made-{i}").touch()
    (tmp_path / "work").mkdir()
    executor = make_executor("ray", RayOptions(workers=2, retries=0))
    with pytest.raises(S3DError, match="the process of 'part 1' died 1 times"):
        Workspace(tmp_path / "work", "f", ()).parts("numbers", parts_of(tmp_path, 1), executor)
    executor.close()
    again = Workspace(tmp_path / "work", "f", ())
    assert again.parts("numbers", parts_of(tmp_path, None), LocalExecutor()) == [0, 10, 20]
    assert [len((tmp_path / f"made-{i}").read_bytes()) for i in range(3)] == [1, 2, 1]


def test_parts_are_made_again_when_something_before_them_changes(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"made-{i}").touch()
    (tmp_path / "work").mkdir()

    def call(before: int) -> None:
        work = Workspace(tmp_path / "work", "f", ())
        work.stage("before", before, lambda files: before)
        assert work.parts("numbers", parts_of(tmp_path, None), LocalExecutor()) == [0, 10, 20]
        assert work.stage("after", None, lambda files: 5) == 5

    call(1)
    call(1)
    assert [len((tmp_path / f"made-{i}").read_bytes()) for i in range(3)] == [1, 1, 1]
    call(2)
    assert [len((tmp_path / f"made-{i}").read_bytes()) for i in range(3)] == [2, 2, 2]
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [
        "0001-before", "0002-numbers-0", "0003-numbers-1", "0004-numbers-2", "0005-after",
    ]  # fmt: skip


def test_no_parts_are_no_stage(tmp_path: Path) -> None:
    assert Workspace(tmp_path, "f", ()).parts("numbers", [], LocalExecutor()) == []
