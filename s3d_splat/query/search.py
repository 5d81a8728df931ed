"""The objects that a question means, best first, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from s3d_splat.errors import S3DError
from s3d_splat.query.colours import agreement
from s3d_splat.query.geometry import Geometry
from s3d_splat.query.language import parse
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.question import (
    Phrase,
    Relation,
    Superlative,
    colours_said,
    phrases,
    relation_said,
    said,
    superlative_said,
)
from s3d_splat.query.scores import EncodeTexts, candidates, relevancy, text_vectors
from s3d_splat.query.values import InstanceEmbeddings, ObjectTable, Viewpoints


@dataclass(frozen=True)
class Hit:
    """An object that a question may mean."""

    id: int
    score: float  # 0..1, comparable within one answer: relevancy times every reason
    cosine: float  # with the name, colours included; 0 where the question names nothing
    relevancy: float  # 0..1, see `scores.relevancy`; of name with and without colours, the geometric mean; 1 without a name
    reasons: dict[str, float]  # what else was asked, in words, and how well it holds, 0..1


@dataclass(frozen=True)
class Answer:
    """What a question was understood as, and what was found."""

    understood: str
    hits: tuple[Hit, ...]  # best first
    note: str  # why there is no hit; "" with hits


def search(
    query: str | Phrase,
    objects: ObjectTable,
    embeddings: InstanceEmbeddings,
    encode_texts: EncodeTexts,
    viewpoints: Viewpoints | None = None,
    options: QueryOptions | None = None,
) -> Answer:
    """Ranks the objects of a scene by a question.

    Args:
        embeddings: of the same objects, made with the encoder that `encode_texts` belongs to; objects without a row, like
            those of a zero vector, are never found.
        viewpoints: what "left of", "behind" or "the nearest chair" depend on.

    Raises:
        S3DError: the question cannot be taken apart (`parse`), needs viewpoints, or the vectors are of another encoder.
    """
    root = parse(query) if isinstance(query, str) else query
    judge = _Judge(root, objects, embeddings, encode_texts, viewpoints, options or QueryOptions())
    verdict = judge.judged(root, stuff_counts=False)
    rows = np.flatnonzero(verdict.alive)
    rows = rows[np.lexsort((-verdict.relevancy[rows], -verdict.score[rows]))]
    hits = tuple(
        Hit(
            id=int(objects.id[i]),
            score=float(verdict.score[i]),
            cosine=float(verdict.cosine[i]),
            relevancy=float(verdict.relevancy[i]),
            reasons={word: float(factor[i]) for word, factor in verdict.reasons.items()},
        )
        for i in rows
    )
    return Answer(said(root), hits, "" if hits else verdict.note)


@dataclass(frozen=True)
class _Verdict:
    """What is known of the k objects after some of a phrase has been looked at."""

    alive: Bool[np.ndarray, " k"]
    score: Float[np.ndarray, " k"]
    cosine: Float[np.ndarray, " k"]
    relevancy: Float[np.ndarray, " k"]
    reasons: dict[str, Float[np.ndarray, " k"]]
    note: str = ""  # what left nobody alive

    def narrowed(self, word: str, factor: Float[np.ndarray, " k"], least: float, note: str) -> _Verdict:
        """Only objects whose factor reaches `least` stay alive; the note is kept if that is none of them."""
        alive = self.alive & (factor >= least)
        reasons = {**self.reasons, word: factor}
        note = self.note if alive.any() or self.note else note
        return replace(self, alive=alive, score=self.score * factor, reasons=reasons, note=note)


class _Judge:
    """One question's words as vectors, and the scene that they are about."""

    def __init__(
        self,
        root: Phrase,
        objects: ObjectTable,
        embeddings: InstanceEmbeddings,
        encode_texts: EncodeTexts,
        viewpoints: Viewpoints | None,
        options: QueryOptions,
    ) -> None:
        self._objects = objects
        self._options = options
        self._geometry = Geometry(objects, viewpoints)
        names = dict.fromkeys(text for phrase in phrases(root) for text in (phrase.text, phrase.noun) if text)
        if not options.negatives:
            raise S3DError(
                "there are no negatives", why="a hit must be nearer to the question than to them", fix='give "object", say'
            )
        texts = text_vectors([*names, *options.negatives], encode_texts, options.templates)
        vectors = _aligned(objects, embeddings, texts.shape[1])
        self._known = np.linalg.norm(vectors, axis=1) > 0
        cosine = vectors @ texts.T
        self._cosine = {name: cosine[:, i] for i, name in enumerate(names)}
        self._negative = cosine[:, len(names) :].max(axis=1)

    def judged(self, phrase: Phrase, stuff_counts: bool) -> _Verdict:
        """Every part of the phrase in turn: name, colours, relations, then superlatives among those that are left."""
        verdict = self._named(phrase, stuff_counts)
        if phrase.colours:
            words = colours_said(phrase)
            note = f"{words!r} holds for no {phrase.noun or 'object'}"
            agrees = agreement(self._objects.colour, phrase.colours)
            verdict = verdict.narrowed(words, agrees, self._options.least_colour, note)
        for relation in phrase.relations:
            if verdict.alive.any():
                verdict = self._related(verdict, phrase, relation)
        for superlative in phrase.superlatives:
            if verdict.alive.any():
                verdict = self._ranked(verdict, superlative)
        return verdict

    def _named(self, phrase: Phrase, stuff_counts: bool) -> _Verdict:
        """Objects that the name may mean; colours must not make up for a wrong name, so the noun alone decides."""
        things, k = self._objects.is_thing, len(self._objects.id)
        if not phrase.noun:
            alive = self._known & (things | stuff_counts)
            return _Verdict(alive, np.ones(k), np.zeros(k), np.ones(k), {}, "" if alive.any() else "no object has a vector")
        noun, text = self._cosine[phrase.noun], self._cosine[phrase.text]
        sharpness = self._options.sharpness
        relevance = relevancy(noun, self._negative, sharpness)
        alive = candidates(noun, self._negative, self._known, self._options)
        note = "no object has a vector"
        if self._known.any():
            best = relevance[self._known].max()
            note = f"nothing here is near enough to {phrase.noun!r} (the best has a relevancy of {best:.2f})"
        if alive.any() and not stuff_counts and things[np.argmax(np.where(alive, relevance, -1))]:
            alive = alive & things
        both = np.sqrt(relevance * relevancy(text, self._negative, sharpness))
        return _Verdict(alive, both, text, both, {}, "" if alive.any() else note)

    def _related(self, verdict: _Verdict, phrase: Phrase, relation: Relation) -> _Verdict:
        others = []
        for other in relation.others:
            found = self.judged(other, stuff_counts=True)
            if not found.alive.any():
                return replace(verdict, alive=found.alive, note=found.note)
            others.append(_weights(found, other))
        words = relation_said(relation)
        factor = np.zeros(len(self._objects.id))
        rows = np.flatnonzero(verdict.alive)
        if relation.kind == "between":
            factor[rows] = self._geometry.between(rows, others[0], others[-1])
        else:
            factor[rows] = self._geometry.related(relation.kind, rows, others[0])
        note = f"{words!r} holds for no {phrase.text or 'object'}"
        return verdict.narrowed(words, factor, self._options.least_relation, note)

    def _ranked(self, verdict: _Verdict, superlative: Superlative) -> _Verdict:
        """The first among equals: who is left no longer differs by anything else."""
        target = None
        if superlative.other is not None:
            found = self.judged(superlative.other, stuff_counts=True)
            if not found.alive.any():
                return replace(verdict, alive=found.alive, note=found.note)
            target = _weights(found, superlative.other)
        rows = np.flatnonzero(verdict.alive)
        factor = np.zeros(len(self._objects.id))
        factor[rows] = self._geometry.ranked(superlative.kind, rows, target)
        reasons = {**verdict.reasons, superlative_said(superlative): factor}
        return replace(verdict, score=verdict.score[rows].max() * factor, reasons=reasons)


def _weights(verdict: _Verdict, phrase: Phrase) -> Float[np.ndarray, " k"]:
    """How surely each object is the other one of a relation, 1 for the best; only the first where the phrase ranks."""
    score = np.where(verdict.alive, verdict.score, 0.0)
    if phrase.superlatives:
        score = np.where(np.arange(len(score)) == score.argmax(), score, 0.0)
    return score / max(score.max(), 1e-12)


def _aligned(objects: ObjectTable, embeddings: InstanceEmbeddings, dimension: int) -> Float[np.ndarray, "k d"]:
    """The vectors in the rows of the objects; 0 for an object that has none."""
    if embeddings.vector.shape[1] != dimension:
        raise S3DError(
            f"the objects have vectors of {embeddings.vector.shape[1]} numbers (encoder {embeddings.encoder}), "
            f"the question has {dimension}",
            why="vectors of two encoders mean nothing beside each other",
            fix="ask with the encoder that the objects were embedded with, or embed them again",
        )
    row = {int(id_): i for i, id_ in enumerate(embeddings.id)}
    aligned = np.zeros((len(objects.id), dimension))
    for i, id_ in enumerate(objects.id):
        if int(id_) in row:
            aligned[i] = embeddings.vector[row[int(id_)]]
    return aligned
