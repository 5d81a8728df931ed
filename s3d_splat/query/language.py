"""From a sentence to a tree, by rules that a user can foresee: known words join phrases, all others are names.

A relation belongs to the phrase just before it ("the mug on the table by the window": the table is by the window), unless
"and" or a comma stands before it ("the mug on the table and by the window"): then it belongs to the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from s3d_splat.errors import S3DError
from s3d_splat.query.names import named, named_something
from s3d_splat.query.question import Phrase, Relation, Superlative, said
from s3d_splat.query.words import (
    ARTICLES,
    BEFORE_RELATION,
    LINKS,
    LONGEST_MARKER,
    MARKERS,
    OPENINGS,
    PLACES,
    SCENE,
    SILENT,
    SUPERLATIVES,
    VIEWER,
    RelationKind,
    SuperlativeKind,
)

Words = tuple[str, ...]
_BREAKS = (",", "and")


def parse(text: str) -> Phrase:
    """Takes a question apart: "the blue chair by the window" is a chair, blue, near a window.

    Raises:
        S3DError: the text is empty, says "not", "no" or "without", measures from the one who asks, or ends where the other
            thing of a relation should stand.
    """
    words = _sides(_words(text))
    if not named_something(words):
        raise S3DError(
            f"the question {text!r} names nothing", why="there is nothing to look for", fix='ask for "a chair", say'
        )
    first, *others = _clauses(words)
    root = _phrase(first)
    for clause in others:
        more = _phrase(clause)
        root = replace(root, superlatives=root.superlatives + more.superlatives, relations=root.relations + more.relations)
    return root


def understood(query: str | Phrase) -> str:
    """How a question is understood, in words: "chair, colour blue, near: window".

    Raises:
        S3DError: see `parse`.
    """
    return said(parse(query) if isinstance(query, str) else query)


@dataclass(frozen=True)
class _Joint:
    """Words start..end-1, which join what is before them with what comes after."""

    start: int
    end: int
    relation: RelationKind | None = None
    distance: SuperlativeKind | None = None  # "nearest" or "farthest"; either this or a relation


def _words(text: str) -> Words:
    plain = re.sub(r"\b(where|what|which|that|who|there)'s\b", r"\1 is", text.lower().replace("’", "'"))
    plain = plain.replace("on/off", "on-off")
    plain = re.sub(r"[^\w\s',-]|(?<!\w)['-]|['-](?!\w)", " ", plain).replace(",", " , ")
    plain = re.sub(r"\b(left|right)[ -]hand side\b", r"\1 side", " ".join(plain.split()))
    if re.search(r"\b(?:not|no|without|except|excluding|never|neither)\b|n't\b", plain):
        raise S3DError(
            f"the question {text!r} says what is not so",
            why="only what is so can be looked for",
            fix="ask without 'not', 'no' and 'without'",
        )
    while opening := re.match(rf"(?:please|,|{OPENINGS})(?: |$)", plain):
        plain = plain[opening.end() :]
    plain = re.sub(rf"\b(?:in|inside) (?:the|this|that|my) (?:{SCENE})\b", " ", plain)
    return tuple(word for word in plain.split() if word not in SILENT)


def _sides(words: Words) -> Words:
    """The words with "on the left", where nothing follows that it is left of, turned into "leftmost"."""
    for i in range(len(words) - 2):
        if words[i] in ("on", "to", "at") and words[i + 1] == "the" and words[i + 2] in ("left", "right"):
            end = i + 4 if words[i + 3 : i + 4] == ("side",) else i + 3
            if _name_ends(words, end):
                return _sides((*words[:i], f"{words[i + 2]}most", *words[end:]))
    return words


def _clauses(words: Words) -> Iterator[Words]:
    """The question without what "and" or a comma adds to it, then each of those additions."""
    start = 0
    for i, word in enumerate(words):
        after = i
        while after < len(words) and (words[after] in _BREAKS or words[after] in BEFORE_RELATION):
            after += 1
        if i > start and word in _BREAKS and after < len(words) and _joint_at(words, after) is not None:
            yield words[start:i]
            start = after
    yield words[start:]


def _phrase(words: Words) -> Phrase:
    joint = _first_joint(words)
    if joint is None:
        return named(words)
    head = list(words[: joint.start])
    while head and head[-1] in BEFORE_RELATION:
        head.pop()
    rest = words[joint.end :]
    if joint.relation is not None:
        if rest and set(rest) <= VIEWER:
            raise S3DError(
                f"the question measures from {' '.join(rest)!r}",
                why="a scene does not know where you stand",
                fix="name an object instead, or ask for the nearest",
            )
        others = _pair(words, rest) if joint.relation == "between" else (_other(words, rest),)
        return _with(named(head), Relation(joint.relation, others))
    phrase = named([word for word in head if SUPERLATIVES.get(word) != joint.distance])
    other = None if rest and set(rest) <= VIEWER else _other(words, rest)
    ranking = tuple(Superlative(kind, other) for kind in (joint.distance,) if kind)
    return replace(phrase, superlatives=phrase.superlatives + ranking)


def _with(phrase: Phrase, relation: Relation) -> Phrase:
    """The phrase with a relation; "in red" is a colour."""
    only_colour = Phrase("", "", relation.others[0].colours)
    if relation.kind == "in" and only_colour.colours and relation.others[0] == only_colour and phrase.noun:
        text = f"{' and '.join(only_colour.colours)} {phrase.text}"
        return replace(phrase, text=text, colours=phrase.colours + only_colour.colours)
    return replace(phrase, relations=(*phrase.relations, relation))


def _other(words: Words, rest: Words) -> Phrase:
    if not named_something(rest) or _joint_at(rest, 0) is not None:
        before = " ".join(words[: len(words) - len(rest)])
        raise S3DError(
            f"the question breaks off after {before!r}",
            why="it must say what that is measured from",
            fix=f'name it, such as "{before} the sofa"',
        )
    return _phrase(rest)


def _pair(words: Words, rest: Words) -> tuple[Phrase, ...]:
    if "and" in rest:
        cut = rest.index("and")
        return (_other(words[: len(words) - len(rest) + cut], rest[:cut]), _other(words, rest[cut + 1 :]))
    start = next((i for i, word in enumerate(rest) if word not in ARTICLES and word not in ("two", "both")), len(rest))
    return (_other(words, rest[start:]),)


def _first_joint(words: Words) -> _Joint | None:
    """Where the name at the beginning ends.

    A purpose ("something to sit on") may end with one preposition of its own, which joins nothing.
    """
    i, own = 0, True
    while i < len(words):
        joint = _joint_at(words, i)
        if joint is None:
            i += 1
        elif own and joint.end == i + 1 and _has_purpose(words[:i]) and _ends_purpose(words, joint):
            i, own = joint.end, False
        else:
            return joint
    return None


def _has_purpose(words: Words) -> bool:
    for i, word in enumerate(words[:-1]):
        following = words[i + 1]
        if i and ((word == "to" and following not in ARTICLES) or (word == "for" and following.endswith("ing"))):
            return True
    return False


def _ends_purpose(words: Words, joint: _Joint) -> bool:
    return joint.relation in ("on", "in") or _name_ends(words, joint.end)


def _joint_at(words: Words, i: int) -> _Joint | None:
    return _relation_at(words, i) or _distance_at(words, i)


def _relation_at(words: Words, i: int) -> _Joint | None:
    for length in range(min(LONGEST_MARKER, len(words) - i), 0, -1):
        kind = MARKERS.get(words[i : i + length])
        if kind is not None:
            return None if length == 1 and _is_place(words, i + 1) else _Joint(i, i + length, relation=kind)
    return None


def _is_place(words: Words, i: int) -> bool:
    """Do words i... say a part of a place ("the corner", "the back of the sofa")?"""
    while i < len(words) and words[i] in ARTICLES:
        i += 1
    if i == len(words) or words[i] not in PLACES:
        return False
    return i + 1 == len(words) or words[i + 1] in ("of", *_BREAKS) or _relation_at(words, i + 1) is not None


def _distance_at(words: Words, i: int) -> _Joint | None:
    """ "nearest to" at word i, "nearest" before an article, or the "to" of "the nearest chair to the window"."""
    kind = SUPERLATIVES.get(words[i])
    if kind is not None and kind in LINKS:
        for link in LINKS[kind]:
            if words[i + 1 : i + 1 + len(link)] == link:
                return _Joint(i, i + 1 + len(link), distance=kind)
        named_before = named_something(words[:i])
        return _Joint(i, i + 1, distance=kind) if named_before and set(words[i + 1 : i + 2]) & ARTICLES else None
    for pending in (SUPERLATIVES.get(word) for word in words[:i]):
        for link in LINKS.get(pending, ()) if pending else ():
            if words[i : i + len(link)] == link:
                return _Joint(i, i + len(link), distance=pending)
    return None


def _name_ends(words: Words, i: int) -> bool:
    """Is there no name at word i, because the text ends or something else begins?"""
    return i >= len(words) or words[i] in _BREAKS or _joint_at(words, i) is not None
