"""A name as it stands between joints: its articles, colours and superlatives told apart from what is looked for."""

from __future__ import annotations

from collections.abc import Sequence

from s3d_splat.query.question import Phrase, Superlative
from s3d_splat.query.words import (
    ANYTHING,
    ARTICLES,
    COLOURED,
    COLOURS,
    FRUIT,
    NAMES_WITH_COLOUR,
    ORDINALS,
    SHADES,
    SUPERLATIVES,
)

_JOINED = ("and", "or", ",")
_LEADING = ARTICLES | {"of", *_JOINED}


def named_something(words: Sequence[str]) -> bool:
    """Is there more than articles?"""
    return any(word not in _LEADING for word in words)


def named(words: Sequence[str]) -> Phrase:
    """The phrase of a name: "the largest dark blue chair" is a "dark blue chair", noun "chair", blue, the largest."""
    first = {
        i: SUPERLATIVES[word]
        for i, word in enumerate(words)
        if word in SUPERLATIVES and not (i and words[i - 1] in ORDINALS)
    }
    superlatives = tuple(Superlative(kind) for kind in first.values())
    rest = [word for i, word in enumerate(words) if i not in first and word != ","]
    coloured = _coloured(rest)
    names = tuple(dict.fromkeys(name for i in sorted(coloured) for name in _colours(rest[i])))
    noun = _stripped([word for i, word in enumerate(rest) if i not in coloured])
    if not noun and set(_stripped(rest)) <= FRUIT and names:
        return Phrase(" ".join(_stripped(rest)), " ".join(_stripped(rest)), superlatives=superlatives)
    if set(noun) <= ANYTHING:
        return Phrase("", "", names, superlatives)
    return Phrase(" ".join(_stripped(rest)), " ".join(noun), names, superlatives)


def _coloured(words: Sequence[str]) -> set[int]:
    """Which words say a colour, shades ("dark") and what joins two colours ("red and white") with them.

    What a thing comes with ("a bottle with a red cap") has a colour of its own.
    """
    words = words[: words.index("with")] if "with" in words else words
    found = {i for i in range(len(words)) if _colours(words[i]) and not _in_a_name(words, i)}
    found |= {i for i, word in enumerate(words) if word in SHADES and i + 1 in found}
    found |= {i for i, word in enumerate(words) if word in COLOURED and i - 1 in found}
    return found | {i for i, word in enumerate(words) if word in _JOINED and i - 1 in found and i + 1 in found}


def _colours(word: str) -> tuple[str, ...]:
    """The colours that a word says: "blue", "dark-blue", "grey-blue", "red-coloured"; none where a part says more."""
    parts = word.split("-")
    if any(part not in COLOURS and part not in SHADES and part not in COLOURED for part in parts):
        return ()
    return tuple(name for part in parts for name in COLOURS.get(part, ()))


def _in_a_name(words: Sequence[str], i: int) -> bool:
    return tuple(words[i : i + 2]) in NAMES_WITH_COLOUR or (i > 0 and tuple(words[i - 1 : i + 1]) in NAMES_WITH_COLOUR)


def _stripped(words: Sequence[str]) -> list[str]:
    """The words without articles and joints at either end."""
    kept = [i for i, word in enumerate(words) if word not in _LEADING]
    return list(words[kept[0] : kept[-1] + 1]) if kept else []
