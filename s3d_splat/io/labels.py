"""`instances.json` and `classes.json`: which ids the masks may hold and what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.types import ClassInfo, InstanceInfo

MAX_ID = 65535  # masks are uint16


def read_json(path: Path, *, why: str, fix: str) -> Any:
    """The content of a JSON file; a byte order mark, as Windows writes it, does not count.

    Raises:
        S3DError: missing (with `why` and `fix`), not UTF-8, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise S3DError(f"{path} does not exist", why=why, fix=fix) from None
    except (OSError, ValueError, RecursionError) as error:
        raise S3DError(f"{path} is not valid JSON", why=str(error), fix="correct the file or write it again") from error


def read_classes(path: Path) -> tuple[ClassInfo, ...]:
    """The rows of `classes.json`, [{"id", "name", "is_thing"}].

    Raises:
        S3DError: missing, malformed, an id twice or outside 1..65535.
    """
    rows = _rows(path, ("id", "name", "is_thing"))
    return tuple(ClassInfo(int(row["id"]), str(row["name"]), bool(row["is_thing"])) for row in rows)


def read_instances(path: Path) -> tuple[InstanceInfo, ...]:
    """The rows of `instances.json`, [{"id", "class_id", "class_name", "is_thing", optional "score" (1) and "name"}].

    Class id 0 means that nobody knows the class.

    Raises:
        S3DError: missing, malformed, an id twice or outside 1..65535, a score outside 0..1.
    """
    rows = _rows(path, ("id", "class_id", "class_name", "is_thing"))
    for row in rows:
        score, class_id = row.get("score", 1.0), row["class_id"]
        if not _is_number(score) or not 0 <= score <= 1:
            raise _malformed(path, f"instance {row['id']} has score {score!r}", "a score is a number from 0 to 1")
        if not _is_integer(class_id) or not 0 <= class_id <= MAX_ID:
            raise _malformed(path, f"instance {row['id']} has class_id {class_id!r}", f"it is a whole number, 0..{MAX_ID}")
    return tuple(
        InstanceInfo(
            id=int(row["id"]),
            class_id=int(row["class_id"]),
            class_name=str(row["class_name"]),
            is_thing=bool(row["is_thing"]),
            score=float(row.get("score", 1.0)),
            name=None if row.get("name") is None else str(row["name"]),
        )
        for row in rows
    )


def classes_of(instances: Sequence[InstanceInfo], path: Path) -> tuple[ClassInfo, ...]:
    """The classes that the instances name, ascending by id: what `classes.json` would hold where it is missing.

    Raises:
        S3DError: two instances disagree about a class.
    """
    classes: dict[int, ClassInfo] = {}
    for instance in instances:
        if instance.class_id:
            classes.setdefault(instance.class_id, ClassInfo(instance.class_id, instance.class_name, instance.is_thing))
    check_classes(instances, tuple(classes.values()), path)
    return tuple(classes[class_id] for class_id in sorted(classes))


def check_classes(instances: Sequence[InstanceInfo], classes: Sequence[ClassInfo], path: Path) -> None:
    """Check that every instance has a class of the table, with the same name and kind.

    Raises:
        S3DError: one has not.
    """
    table = {entry.id: entry for entry in classes}
    for instance in instances:
        if instance.class_id == 0:
            continue
        entry = table.get(instance.class_id)
        if entry is None:
            raise S3DError(
                f"{path}: instance {instance.id} has class {instance.class_id}, which classes.json lacks",
                why="an instance takes its meaning from its class",
                fix="add the class to classes.json, or correct class_id (0: not known)",
            )
        if (entry.name, entry.is_thing) != (instance.class_name, instance.is_thing):
            raise S3DError(
                f"{path}: instance {instance.id} calls class {entry.id} {_kind(instance.class_name, instance.is_thing)},"
                f" elsewhere it is {_kind(entry.name, entry.is_thing)}",
                why="a class has one name, and is a thing or stuff everywhere",
                fix="make instances.json and classes.json agree",
            )


def _kind(name: str, is_thing: bool) -> str:
    return f"{name!r} ({'thing' if is_thing else 'stuff'})"


def _rows(path: Path, keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    rows = read_json(
        path,
        why="it says what the ids in the masks mean",
        fix=f"write it: a list of objects with {', '.join(keys)}",
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _malformed(path, "the file holds no list of objects", f"it is a list of objects with {', '.join(keys)}")
    seen: set[int] = set()
    for index, row in enumerate(rows):
        missing = [key for key in keys if key not in row]
        if missing:
            raise _malformed(path, f"row {index} lacks {', '.join(missing)}", f"every row has {', '.join(keys)}")
        if not _is_integer(row["id"]) or not 1 <= row["id"] <= MAX_ID:
            raise _malformed(path, f"row {index} has id {row['id']!r}", f"ids are whole numbers, 1..{MAX_ID}")
        if not isinstance(row["is_thing"], bool):
            raise _malformed(path, f"id {row['id']} has is_thing {row['is_thing']!r}", "it is true (thing) or false (stuff)")
        if row["id"] in seen:
            raise _malformed(path, f"id {row['id']} occurs twice", "an id means one thing")
        seen.add(row["id"])
    return rows


def _malformed(path: Path, what: str, why: str) -> S3DError:
    return S3DError(f"{path}: {what}", why=why, fix="correct the file or write it again")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
