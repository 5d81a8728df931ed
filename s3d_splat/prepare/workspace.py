"""The folder beside a scene in the making: every finished stage is kept there until the scene is complete."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3d_splat import __version__
from s3d_splat.errors import S3DError
from s3d_splat.executors.base import Executor, Job
from s3d_splat.io.atomic import PARTIAL, unwritable, write_json
from s3d_splat.io.paths import files_below
from s3d_splat.prepare.codec import load_value, plain, save_value
from s3d_splat.prepare.parts import Part, TimedPart, Value

log = logging.getLogger("s3d_splat")

_BEGUN = "begun.json"  # the key of a stage that can go on with the files of an interrupted call
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class _Place:
    """Where a stage, or a part of one, is kept."""

    number: int
    name: str
    folder: Path
    key: str
    is_done: bool


class Workspace:
    """Runs stages, each at most once for the same capture and the same options of it and of those before it.

    Args:
        folder: the work folder.
        fingerprint: of what the first stage reads.
        types: the dataclasses that stages hand on.
    """

    def __init__(self, folder: Path, fingerprint: str, types: tuple[type, ...]) -> None:
        self._folder, self._types = folder, types
        self._key = _digest([__version__, str(folder), fingerprint])  # results name their files by the folder
        self._count = 0
        self._made: dict[Path, object] = {}  # results of this call that nobody has taken yet
        self.seconds: dict[str, float] = {}  # by stage, in whichever call it ran

    def stage(
        self, name: str, options: object, make: Callable[[Path], Value], *, part: str = "", resumes: bool = False
    ) -> Value:
        """The result of a stage: what an earlier call kept, or else `make(files)`, which is then kept.

        Args:
            name: of the stage; stages of one name are parts of it and differ in `part`.
            options: all that the result depends on besides the stages before it, as plain values or frozen dataclasses.
            make: takes a folder for files of its own, which stay until the scene is complete.
            resumes: `make` goes on with what an interrupted call of it left in that folder; else the folder is always new.
        """
        place = self._place(name, part, options)
        if not place.is_done:
            self._clear_from(place.number + 1)
            files = self._begun(place, resumes)
            start = time.monotonic()
            self._keep(place, make(files), time.monotonic() - start)
        return self._kept(place)

    def parts(self, name: str, parts: Sequence[Part[Value]], executor: Executor, *, resumes: bool = False) -> list[Value]:
        """The results of the parts of a stage that do not depend on each other, as `stage` gives them, run by an executor.

        A part that fails costs none of the others: those are kept.
        """
        places = [self._place(name, f"-{number}", part.options) for number, part in enumerate(parts)]
        missing = [number for number, place in enumerate(places) if not place.is_done]
        if missing:
            self._clear_from(places[-1].number + 1)
        jobs = [
            Job(parts[number].title, TimedPart(parts[number].make, self._begun(places[number], resumes)))
            for number in missing
        ]
        for job, (value, seconds) in executor.run(jobs):
            self._keep(places[missing[job]], value, seconds)
        return [self._kept(place) for place in places]

    def scratch(self, name: str) -> Path:
        """A path in the work folder that nothing stands at; what an interrupted call left there is removed."""
        path = self._folder / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def _place(self, name: str, part: str, options: object) -> _Place:
        """Where the next stage, or part of one, is kept."""
        self._key = _digest([self._key, name, part, plain(options)])
        self._count += 1
        folder = self._folder / f"{self._count:04d}-{name}{part}"
        done = _read_json(folder / "done.json", {"key", "seconds"})
        return _Place(self._count, name, folder, self._key, done is not None and done["key"] == self._key)

    def _begun(self, place: _Place, resumes: bool) -> Path:
        """The folder for the files of what is about to be made; new, or as an interrupted call left it."""
        goes_on = resumes and _read_json(place.folder / _BEGUN, {"key"}) == {"key": place.key}
        for other in self._folder.glob(f"{place.number:04d}-*"):
            if not (goes_on and other == place.folder):
                shutil.rmtree(other)
        files = place.folder / "files"
        try:
            files.mkdir(parents=True, exist_ok=goes_on)
        except OSError as error:
            raise unwritable(place.folder, error) from error
        if resumes:
            write_json(place.folder / _BEGUN, {"key": place.key})
        return files

    def _keep(self, place: _Place, value: object, seconds: float) -> None:
        save_value(place.folder, value)
        write_json(place.folder / "done.json", {"key": place.key, "seconds": seconds})
        self._made[place.folder] = value

    def _kept(self, place: _Place) -> Any:
        if place.is_done and not self.seconds:
            log.info("going on with the stages that an earlier call finished, in %s", self._folder)
        done = _read_json(place.folder / "done.json", {"seconds"})
        assert done is not None
        self.seconds[place.name] = self.seconds.get(place.name, 0.0) + done["seconds"]
        return load_value(place.folder, self._types) if place.is_done else self._made.pop(place.folder)

    def _clear_from(self, count: int) -> None:
        """Remove what an interrupted or differing call left of this stage and of those after it."""
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name[:4].isdigit() and int(folder.name[:4]) >= count:
                shutil.rmtree(folder)


@contextmanager
def open_workspace(scene: Path, fingerprint: str, types: tuple[type, ...]) -> Iterator[Workspace]:
    """The work folder of a scene, for one call at a time; it is removed when the block ends well.

    Raises:
        S3DError: another call is at work on this scene, or the file system refuses. A disk that is full anywhere inside the
            block becomes a message that says that the same command goes on.
    """
    folder = work_folder(scene)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise S3DError(
            f"another call is preparing {scene}",
            why="two calls would write the same files",
            fix="wait for it to end, or stop it and give the same command again",
        ) from None
    try:
        with _full_disk_explained(folder):
            yield Workspace(folder, fingerprint, types)
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        if not any(folder.glob("*/done.json")) and not _resumable(folder):  # nothing worth keeping
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def work_folder(scene: Path) -> Path:
    """Where the stages of a scene are kept while it is not complete."""
    absolute = scene.absolute()
    return absolute.with_name(f"{PARTIAL}prepare-{absolute.name}")


def capture_fingerprint(capture: Path, without: tuple[Path, ...] = ()) -> str:
    """A fingerprint of a folder (or one file): names, sizes and times of change of all files in it, links followed.

    Args:
        without: folders inside it that do not count.

    Raises:
        S3DError: a folder of it cannot be read.
    """
    files = [capture] if capture.is_file() else files_below(capture, frozenset(path.resolve() for path in without))
    rows = [[path.relative_to(capture).as_posix(), (state := path.stat()).st_size, state.st_mtime_ns] for path in files]
    return _digest([str(capture.resolve()), rows])


@contextmanager
def _full_disk_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, S3DError) as error:
        if not _is_full(error):
            raise
        raise S3DError(
            f"the disk is full: {_place(error)}",
            why=f"the stages that are finished are kept in {folder}, nothing of them is lost",
            fix="free some space, then give the same command again: it goes on after the last finished stage",
        ) from error


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def _place(error: OSError | S3DError) -> str:
    return error.what if isinstance(error, S3DError) else str(error.filename or error.strerror)


def _resumable(folder: Path) -> bool:
    """Whether an interrupted stage that can go on has written files."""
    stages = (path.parent / "files" for path in folder.glob(f"*/{_BEGUN}"))
    return any(path.is_file() for files in stages for path in files.rglob("*"))


def _read_json(path: Path, keys: set[str]) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and keys <= set(value) else None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
