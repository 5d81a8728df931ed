"""Operations in words: "move 12 13 by 0.5 0 0"."""

from __future__ import annotations

from collections.abc import Sequence

from s3d_splat.editing.operations import Duplicate, Extract, Move, Operation, Recolour, Remove, Rotate, Scale
from s3d_splat.errors import S3DError

FORMS = (
    "remove IDS [unfilled]",
    "extract IDS",
    "recolour IDS to COLOUR [strength S]",
    "move IDS by X Y Z",
    "rotate IDS by DEGREES [about X Y Z]",
    "scale IDS by FACTOR",
    "duplicate IDS by X Y Z",
)
_UP = ("0", "0", "1")


def read_step(text: str) -> Operation:
    """The operation that a text says, in one of `FORMS`.

    COLOUR is a CSS name, #rrggbb, or three numbers from 0 to 1. Without `about` objects are turned about the world's z axis.

    Raises:
        S3DError: it says none.
    """
    verb, *words = text.lower().split() or [""]
    ids, rest = _ids(words)
    said = _phrases(text, rest)
    match verb, tuple(said):
        case "remove", ():
            return Remove(ids)
        case "remove", ("unfilled",) if not said["unfilled"]:
            return Remove(ids, fill=False)
        case "extract", ():
            return Extract(ids)
        case "recolour" | "recolor", ("to",) | ("to", "strength"):
            return Recolour(ids, _colour(text, said["to"]), _number(text, said.get("strength", ["1"])))
        case "move", ("by",):
            return Move(ids, _vector(text, said["by"]))
        case "rotate", ("by",) | ("by", "about"):
            return Rotate(ids, _vector(text, said.get("about", _UP)), _number(text, said["by"]))
        case "scale", ("by",):
            return Scale(ids, _number(text, said["by"]))
        case "duplicate", ("by",):
            return Duplicate(ids, _vector(text, said["by"]))
    raise _unclear(text, "it has none of the forms of an edit")


def _ids(words: Sequence[str]) -> tuple[tuple[int, ...], list[str]]:
    """The ids at the beginning, and what follows them."""
    count = next((place for place, word in enumerate(words) if not (word.isdecimal() and len(word) < 10)), len(words))
    return tuple(int(word) for word in words[:count]), list(words[count:])


def _phrases(text: str, words: Sequence[str]) -> dict[str, list[str]]:
    """What follows each of the words that open a phrase, in order."""
    said: dict[str, list[str]] = {}
    for word in words:
        if word in ("unfilled", "to", "strength", "by", "about") and word not in said:
            said[word] = []
        elif said:
            said[next(reversed(said))].append(word)
        else:
            raise _unclear(text, f"{word!r} is no id of an object")
    return said


def _number(text: str, words: Sequence[str]) -> float:
    (value,) = _numbers(text, words, 1)
    return value


def _vector(text: str, words: Sequence[str]) -> tuple[float, float, float]:
    x, y, z = _numbers(text, words, 3)
    return x, y, z


def _numbers(text: str, words: Sequence[str], count: int) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise _unclear(text, str(error)) from error
    if len(values) != count:
        raise _unclear(text, f"it gives {len(values)} numbers where {count} belong")
    return values


def _colour(text: str, words: Sequence[str]) -> tuple[float, float, float]:
    from PIL import ImageColor

    if len(words) == 3:
        return _vector(text, words)
    try:
        red, green, blue = ImageColor.getrgb(" ".join(words))[:3]
    except ValueError as error:
        raise _unclear(text, f"{' '.join(words)!r} is no colour") from error
    return red / 255, green / 255, blue / 255


def _unclear(text: str, why: str) -> S3DError:
    return S3DError(f'"{text}" is no edit', why=why, fix=f"say one of: {'; '.join(FORMS)}")
