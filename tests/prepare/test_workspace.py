"""Stages are done once, again when anything before them changes, and never lost to a full disk."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import unwritable
from s3d_splat.prepare.codec import load_value, plain, save_value
from s3d_splat.prepare.workspace import Workspace, capture_fingerprint, open_workspace, work_folder


@dataclass(frozen=True)
class Thing:
    name: str
    poses: torch.Tensor
    parts: tuple[tuple[int, float], ...]
    folder: Path | None
    table: dict[int, str]


def test_values_come_back_as_they_were(tmp_path: Path):
    thing = Thing("a", torch.rand(4, 4, dtype=torch.float64), ((1, 0.1), (2, math.inf)), tmp_path / "x", {3: "three"})
    large = torch.arange(100, dtype=torch.int32)
    save_value(tmp_path, (thing, large, None, True))
    first, second, third, fourth = load_value(tmp_path, (Thing,))
    assert torch.equal(first.poses, thing.poses)
    assert first.poses.dtype == torch.float64
    assert (first.name, first.parts, first.folder, first.table) == (thing.name, thing.parts, thing.folder, thing.table)
    assert torch.equal(second, large)
    assert (third, fourth) == (None, True)


def test_what_is_not_plain_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="object cannot be kept"):
        save_value(tmp_path, object())
    with pytest.raises(TypeError, match="no arrays"):
        plain(torch.zeros(100))


def test_unknown_types_and_damage_are_refused(tmp_path: Path):
    save_value(tmp_path, Thing("a", torch.zeros(1), (), None, {}))
    with pytest.raises(S3DError, match="cannot be read"):
        load_value(tmp_path, ())
    path = tmp_path / "arrays.npz"
    for content in (b"", b"PK\x03\x04", path.read_bytes()[:-10]):
        path.write_bytes(content)
        with pytest.raises(S3DError, match="cannot be read"):
            load_value(tmp_path, (Thing,))
    (tmp_path / "value.json").write_text("{")
    with pytest.raises(S3DError, match="not valid JSON"):
        load_value(tmp_path, (Thing,))


def run(folder: Path, done: list[str], *, first: object = 1, second: object = 1, fingerprint: str = "f") -> tuple[int, int]:
    def make(name: str, value: int) -> int:
        done.append(name)
        return value

    work = Workspace(folder, fingerprint, ())
    one = work.stage("one", first, lambda files: make("one", 1))
    two = work.stage("two", second, lambda files: make("two", one + 1))
    return one, two


def test_stages_are_done_again_only_when_something_before_them_changes(tmp_path: Path):
    done: list[str] = []
    assert run(tmp_path, done) == (1, 2)
    assert run(tmp_path, done) == (1, 2)
    assert done == ["one", "two"]
    run(tmp_path, done, second=2)
    assert done == ["one", "two", "two"]
    run(tmp_path, done, first=2, second=2)
    assert done[3:] == ["one", "two"]
    run(tmp_path, done, first=2, second=2, fingerprint="another capture")
    assert done[5:] == ["one", "two"]


def test_a_folder_that_was_moved_is_not_gone_on_with(tmp_path: Path):
    """The results name their files by the old folder."""
    done: list[str] = []
    (tmp_path / "here").mkdir()
    run(tmp_path / "here", done)
    (tmp_path / "here").rename(tmp_path / "there")
    run(tmp_path / "there", done)
    assert done == ["one", "two", "one", "two"]


def test_a_stage_that_failed_is_begun_anew(tmp_path: Path):
    def fail(files: Path) -> int:
        (files / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Workspace(tmp_path, "f", ()).stage("one", None, fail)

    def make(files: Path) -> int:
        assert not any(files.iterdir())
        return 7

    assert Workspace(tmp_path, "f", ()).stage("one", None, make) == 7


def test_seconds_are_those_of_the_call_that_did_the_work(tmp_path: Path):
    first = Workspace(tmp_path, "f", ())
    first.stage("one", None, lambda files: 1, part="-0")
    first.stage("one", None, lambda files: 1, part="-1")
    again = Workspace(tmp_path, "f", ())
    again.stage("one", None, lambda files: 1, part="-0")
    again.stage("one", None, lambda files: 1, part="-1")
    assert again.seconds == first.seconds
    assert list(first.seconds) == ["one"]


def test_the_folder_goes_when_all_is_done_and_stays_when_a_stage_is_worth_keeping(tmp_path: Path):
    scene = tmp_path / "scene"
    with open_workspace(scene, "f", ()) as work:
        work.stage("one", None, lambda files: 1)
    assert not work_folder(scene).exists()
    with pytest.raises(ValueError, match="bug"), open_workspace(scene, "f", ()):
        raise ValueError("bug")
    assert not work_folder(scene).exists()

    def fail(files: Path) -> int:
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"), open_workspace(scene, "f", ()) as work:
        assert work.stage("one", None, lambda files: 1) + work.stage("two", None, fail)
    assert work_folder(scene).exists()


def test_two_calls_at_once_are_refused(tmp_path: Path):
    scene = tmp_path / "scene"
    with open_workspace(scene, "f", ()) as work:
        with pytest.raises(S3DError, match="another call is preparing"), open_workspace(scene, "f", ()):
            pass
        work.stage("one", None, lambda files: 1)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_says_that_nothing_is_lost(tmp_path: Path, wrapped: bool):
    scene, full = tmp_path / "scene", OSError(errno.ENOSPC, "No space left on device", "/some/file")

    def fail(files: Path) -> int:
        if not wrapped:
            raise full
        raise unwritable(Path("/some/file"), full) from full

    with pytest.raises(S3DError, match=r"the disk is full: .*/some/file") as caught, open_workspace(scene, "f", ()) as work:
        assert work.stage("one", None, lambda files: 1) + work.stage("two", None, fail)
    assert "nothing of them is lost" in caught.value.why
    assert "same command" in caught.value.fix
    assert (work_folder(scene) / "0001-one" / "done.json").exists()


def test_other_errors_of_the_file_system_stay_what_they_are(tmp_path: Path):
    with pytest.raises(PermissionError), open_workspace(tmp_path / "scene", "f", ()):
        raise PermissionError(errno.EACCES, "no")


def test_the_fingerprint_follows_the_files_of_the_capture(tmp_path: Path):
    capture = tmp_path / "capture"
    (capture / "images").mkdir(parents=True)
    (capture / "images" / "a.png").write_bytes(b"123")
    before = capture_fingerprint(capture)
    (capture / "scene").mkdir()
    (capture / "scene" / "b").write_bytes(b"1")
    (capture / "loop").symlink_to(capture)
    assert capture_fingerprint(capture, without=(capture / "scene",)) == before
    assert capture_fingerprint(capture) != before
    os.utime(capture / "images" / "a.png", (1, 1))
    assert capture_fingerprint(capture, without=(capture / "scene",)) != before


def test_a_stage_that_resumes_finds_its_files(tmp_path: Path):
    """Files of an interrupted call stay for a stage that asks for them, as long as the options are the same."""

    def call(option: int, *, resumes: bool, dies: bool) -> list[str]:
        def make(files: Path) -> list[str]:
            found = sorted(path.name for path in files.iterdir())
            (files / f"{option}-{len(found)}").touch()
            if dies:
                raise KeyboardInterrupt
            return found

        with open_workspace(tmp_path / "scene", "f", ()) as work:
            return work.stage("read", option, make, resumes=resumes)

    for option, resumes, found in ((1, True, ["1-0", "1-1"]), (2, False, [])):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                call(option, resumes=resumes, dies=True)
        assert work_folder(tmp_path / "scene").exists() == resumes
        assert call(option, resumes=resumes, dies=False) == found
    with pytest.raises(KeyboardInterrupt):
        call(1, resumes=True, dies=True)
    assert call(3, resumes=True, dies=False) == []
