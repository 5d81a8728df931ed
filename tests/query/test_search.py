"""Questions to the room of boxes: what is found, in which order, and why nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.search import Answer, search
from tests.query import room

OBJECTS, EMBEDDINGS, VIEWS = room.objects(), room.embeddings(), room.viewpoints()
WORDS_ALONE = QueryOptions(templates=("{}",))


def ask(question: str, **changed) -> Answer:
    given = {"objects": OBJECTS, "embeddings": EMBEDDINGS, "viewpoints": VIEWS, "options": WORDS_ALONE} | changed
    return search(question, encode_texts=room.encode_texts, **given)


def found(question: str, **changed) -> list[str]:
    return [room.NAMES[hit.id - 1] for hit in ask(question, **changed).hits]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("mug", ["blue mug"]),
        ("the blue chair", ["grey-blue chair"]),
        ("the blue chair by the window", ["grey-blue chair"]),
        ("the largest chair", ["brown chair", "red chair", "grey-blue chair"]),
        ("the smallest ball", ["small red ball", "red ball"]),
        ("the red ball left of the sofa", ["red ball"]),
        ("the ball right of the sofa", ["small red ball"]),
        ("the book on the table", ["book"]),
        ("something on the table", ["blue mug", "book"]),
        ("what is under the table?", ["bag"]),
        ("the picture between the door and the window", ["picture"]),
        ("a chair near the tallest lamp", ["red chair", "brown chair"]),
        ("the toy in the crate", ["toy"]),
        ("the picture on the wall", ["picture"]),
        ("the chair nearest to the window", ["grey-blue chair", "brown chair", "red chair"]),
        ("the chair on the left", ["red chair", "brown chair", "grey-blue chair"]),
        ("the red chair between the red ball and the tallest lamp", ["red chair"]),
        ("wall", ["wall"]),
    ],
)
def test_question(question: str, expected: list[str]) -> None:
    assert found(question) == expected


def test_all_of_a_kind_are_hits() -> None:
    assert set(found("chair")) == {"grey-blue chair", "red chair", "brown chair"}


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("unicorn", "nothing here is near enough to 'unicorn'"),
        ("the green chair", "'colour green' holds for no chair"),
        ("the chair on the table", "'on: table' holds for no chair"),
        ("the blue chair on the table", "'on: table' holds for no blue chair"),
        ("the chair by the unicorn", "nothing here is near enough to 'unicorn'"),
        ("the chair nearest to the unicorn", "nothing here is near enough to 'unicorn'"),
        ("the mug on the table by the window", "'near: window' holds for no table"),
    ],
)
def test_no_hit_says_which_word_failed(question: str, note: str) -> None:
    answer = ask(question)
    assert answer.hits == ()
    assert answer.note.startswith(note)


def test_a_blue_mug_is_no_blue_chair() -> None:
    """Not even beside a chair that is only somewhat blue, and whatever the margin lets pass."""
    colour = OBJECTS.colour.copy()
    colour[room.NAMES.index("grey-blue chair")] = (0.44, 0.5, 0.56)
    objects = replace(OBJECTS, colour=colour)
    assert found("blue chair", objects=objects) == ["grey-blue chair"]
    assert "blue mug" not in found("blue chair", options=QueryOptions(templates=("{}",), margin=0.01))


def test_the_measured_colour_tells_two_of_a_kind_apart() -> None:
    """Vectors that know nothing of colour: all three chairs are just chairs."""
    vectors = EMBEDDINGS.vector.copy()
    for name in ("grey-blue chair", "red chair", "brown chair"):
        vectors[room.NAMES.index(name)] = room.vector_of("chair", 0.3)
    embeddings = replace(EMBEDDINGS, vector=vectors)
    assert found("red chair", embeddings=embeddings)[0] == "red chair"
    assert "grey-blue chair" not in found("red chair", embeddings=embeddings)


def test_what_was_never_seen_is_never_found() -> None:
    assert "never seen" not in found("anything")
    assert "never seen" not in found("anything on the floor")


def test_stuff_is_found_where_it_is_best_only() -> None:
    vectors = EMBEDDINGS.vector.copy()
    vectors[room.NAMES.index("wall")] = room.vector_of("picture wall", 0.3)
    embeddings = replace(EMBEDDINGS, vector=vectors)
    assert found("picture", embeddings=embeddings) == ["picture"]
    assert found("wall", embeddings=embeddings) == ["wall"]
    assert "floor" not in found("anything")


def test_a_hit_says_why() -> None:
    (hit,) = ask("the blue chair by the window").hits
    assert list(hit.reasons) == ["colour blue", "near: window"]
    assert hit.score == pytest.approx(hit.relevancy * np.prod(list(hit.reasons.values())))
    vector = room.vector_of("chair chair blue grey", 0.3)
    assert hit.cosine == pytest.approx(vector @ room.vector_of("blue chair"), abs=1e-6)
    assert ask("the blue chair by the window").understood == "chair, colour blue, near: window"
    assert ask("the blue chair by the window").note == ""


@pytest.mark.parametrize(
    "question", ["chair", "something red", "the largest chair", "anything near the sofa", "the lowest lamp"]
)
def test_scores_are_in_order_and_at_most_1(question: str) -> None:
    scores = [hit.score for hit in ask(question).hits]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1


def test_an_object_without_a_row_of_embeddings_is_never_found() -> None:
    rows = np.array([i for i in range(len(room.NAMES)) if room.NAMES[i] != "red chair"])
    fewer = replace(
        EMBEDDINGS,
        id=EMBEDDINGS.id[rows],
        vector=EMBEDDINGS.vector[rows],
        spread=EMBEDDINGS.spread[rows],
        pixels=EMBEDDINGS.pixels[:, rows],
    )
    assert set(found("chair", embeddings=fewer)) == {"grey-blue chair", "brown chair"}


def test_questions_that_need_no_viewer_need_no_cameras() -> None:
    assert found("the book on the table", viewpoints=None) == ["book"]
    with pytest.raises(S3DError, match="'left of' depends on who looks"):
        ask("the ball left of the sofa", viewpoints=None)
    with pytest.raises(S3DError, match="'nearest' depends on who looks"):
        ask("the nearest chair", viewpoints=None)


def test_vectors_of_another_encoder_are_refused() -> None:
    other = replace(EMBEDDINGS, vector=EMBEDDINGS.vector[:, :5])
    with pytest.raises(S3DError, match=r"vectors of 5 numbers \(encoder words\), the question has 27"):
        ask("mug", embeddings=other)


def test_negatives_are_needed() -> None:
    with pytest.raises(S3DError, match="no negatives"):
        ask("mug", options=QueryOptions(negatives=()))


def test_an_empty_scene_has_no_hit() -> None:
    objects = room.table_of([room.surface((0, 0, 0), (1, 1, 1))], [(0.5, 0.5, 0.5)])
    none = replace(
        objects,
        id=objects.id[:0],
        class_name=(),
        is_thing=objects.is_thing[:0],
        centre=objects.centre[:0],
        box=objects.box[:0],
        colour=objects.colour[:0],
        points=(),
    )
    for question in ("mug", "anything red", "the largest mug on the table"):
        assert ask(question, objects=none, viewpoints=None) == Answer(ask(question).understood, (), "no object has a vector")
