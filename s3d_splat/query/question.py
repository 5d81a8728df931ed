"""A question to a scene, taken apart, and how it is said back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from s3d_splat.query.words import RelationKind, SuperlativeKind


@dataclass(frozen=True)
class Phrase:
    """What a thing is called, and what else must be true of it."""

    text: str  # what an encoder is asked for: "blue chair"; "" = anything
    noun: str  # the same without colours: "chair"; "" = anything
    colours: tuple[str, ...] = ()  # names of regions in `colours.py`; any one of them will do
    superlatives: tuple[Superlative, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class Superlative:
    """What the thing is the first of, among all that the rest of its phrase leaves."""

    kind: SuperlativeKind
    other: Phrase | None = None  # what "nearest" and "farthest" are measured to; None = who looks


@dataclass(frozen=True)
class Relation:
    """Where the thing is, seen from others."""

    kind: RelationKind
    others: tuple[Phrase, ...]  # one; for "between" two, or one that stands for two of its kind


def phrases(root: Phrase) -> Iterator[Phrase]:
    """The phrase and all that are part of it, outside first."""
    yield root
    for superlative in root.superlatives:
        if superlative.other is not None:
            yield from phrases(superlative.other)
    for relation in root.relations:
        for other in relation.others:
            yield from phrases(other)


def said(phrase: Phrase) -> str:
    """What was understood, in words: "mug, colour blue, on: (table, near: window)"."""
    parts = [phrase.noun or "anything"]
    if phrase.colours:
        parts.append(colours_said(phrase))
    parts += [superlative_said(superlative) for superlative in phrase.superlatives]
    parts += [relation_said(relation) for relation in phrase.relations]
    return ", ".join(parts)


def colours_said(phrase: Phrase) -> str:
    """The colours of a phrase in words: "colour red or white"."""
    return f"colour {' or '.join(phrase.colours)}"


def superlative_said(superlative: Superlative) -> str:
    """A superlative in words: "the largest", "nearest to: door"."""
    if superlative.kind not in ("nearest", "farthest"):
        return f"the {superlative.kind}"
    link = "to" if superlative.kind == "nearest" else "from"
    return f"{superlative.kind} {link}{' the viewer' if superlative.other is None else f': {_part(superlative.other)}'}"


def relation_said(relation: Relation) -> str:
    """A relation in words: "on: table", "between: door and window"."""
    if relation.kind == "between" and len(relation.others) == 1:
        return f"between two of: {_part(relation.others[0])}"
    return f"{relation.kind}: {' and '.join(map(_part, relation.others))}"


def _part(phrase: Phrase) -> str:
    words = said(phrase)
    return f"({words})" if "," in words else words
