"""Lists of class names that every object is to be given the best of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.results import MAX_COUNT
from s3d_splat.metrics.scannet_classes import NAMES, TEXT_QUERY_CLASSES
from s3d_splat.types import ClassInfo

_FORMAT = 'one name a line, or JSON: ["chair", ...] or [{"id": 5, "name": "chair", "is_thing": true}, ...]'
_STUFF = frozenset({"wall", "floor", "ceiling"})  # of names that nobody says more about


@dataclass(frozen=True)
class _Entry:
    """A class as a list gives it; None: not said."""

    name: str
    id: int | None = None
    is_thing: bool | None = None


def class_list(source: str, known: Sequence[ClassInfo]) -> tuple[ClassInfo, ...]:
    """The classes of a file, or of `scannet19`, `scannet15`, `scannet10` (the lists of the text-query protocol).

    Those that a scene knows by the same name have its ids and are things where its are. Others have the ids of the list
    (NYU40's for ScanNet) where the scene means nothing else by them, or else numbers above all ids in use.

    Raises:
        S3DError: no such file or list, an empty one, a name or an id twice, or a name that is none.
    """
    lists = {f"scannet{size}": ids for size, ids in TEXT_QUERY_CLASSES.items()}
    of_scannet = [_Entry(NAMES[id], id) for id in lists.get(source, ())]
    entries = of_scannet or _from_file(Path(source), tuple(lists))
    names = [entry.name for entry in entries]
    lowered = [name.lower() for name in names]
    twice = [name for name in names if lowered.count(name.lower()) > 1]
    if not names or twice:
        what = f"names {twice[0]!r} twice" if twice else "holds no class"
        raise S3DError(f"{source} {what}", why="every object gets the best of its names", fix=f"write {_FORMAT}")
    taken = {entry.id for entry in known}
    by_name = {entry.name.lower(): entry for entry in known}
    free = max([0, *taken, *(entry.id for entry in entries if entry.id)]) + 1
    result = []
    for entry in entries:
        of_scene = by_name.get(entry.name.lower())
        wanted = free if entry.id is None or entry.id in taken else entry.id
        number = of_scene.id if of_scene else wanted
        free += number == free
        thing = entry.name.lower() not in _STUFF if entry.is_thing is None else entry.is_thing
        result.append(ClassInfo(number, entry.name, of_scene.is_thing if of_scene else thing))
    ids = [entry.id for entry in result]
    again = sorted({id for id in ids if ids.count(id) > 1})
    if again:
        raise S3DError(
            f"{source} gives the id {again[0]} to two classes",
            why="an id is one class",
            fix="leave ids out of the list, or choose others",
        )
    if max(ids) > MAX_COUNT:
        raise S3DError(
            f"{source} needs the class id {max(ids)}",
            why=f"classes without a number get those above all others, and ids end at {MAX_COUNT}, for 16-bit images",
            fix="choose lower ids",
        )
    return tuple(result)


def _from_file(path: Path, lists: Sequence[str]) -> list[_Entry]:
    fix = f"name a file, or one of {', '.join(lists)}; a file holds {_FORMAT}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise S3DError(f"{path} does not exist", why="--labels names a list of classes", fix=fix) from None
    except (OSError, UnicodeDecodeError) as error:
        raise S3DError(f"{path} cannot be read ({error})", why="--labels names a list of classes", fix=fix) from error
    if not text.lstrip().startswith(("[", "{")):
        return [_Entry(line.strip()) for line in text.splitlines() if line.strip()]
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise S3DError(f"{path} is no JSON ({error})", why="it begins like JSON", fix=fix) from error
    if not isinstance(values, list):
        raise S3DError(f"{path} holds no list", why="JSON of classes is a list of them", fix=fix)
    return [_entry(path, value, fix) for value in values]


def _entry(path: Path, value: Any, fix: str) -> _Entry:
    given = {"name": value} if isinstance(value, str) else value
    found = [given.get(key) for key in ("name", "id", "is_thing")] if isinstance(given, dict) else [None] * 3
    name, number, is_thing = found
    sound = isinstance(name, str) and name.strip() and type(number) in (int, type(None))
    if not sound or not isinstance(is_thing, bool | None):
        raise S3DError(f"{path} holds {value!r}", why="that is no class", fix=fix)
    if number is not None and not 0 < number <= MAX_COUNT:
        raise S3DError(f"{path}: id {number}", why=f"ids are 1 to {MAX_COUNT}, for 16-bit images", fix=fix)
    return _Entry(str(name).strip(), number, is_thing)
