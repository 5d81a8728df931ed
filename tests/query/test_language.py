"""Sentences and their trees."""

from __future__ import annotations

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.query.language import parse, understood
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.question import Phrase, Relation, Superlative, phrases

ANY = Phrase("", "")


def plain(noun: str) -> Phrase:
    return Phrase(noun, noun)


def the(kind, phrase: Phrase, other: Phrase | None = None) -> Phrase:
    return Phrase(phrase.text, phrase.noun, phrase.colours, (*phrase.superlatives, Superlative(kind, other)))


def where(phrase: Phrase, *relations: Relation) -> Phrase:
    return Phrase(phrase.text, phrase.noun, phrase.colours, phrase.superlatives, relations)


def rel(kind, *others: Phrase | str) -> Relation:
    return Relation(kind, tuple(plain(other) if isinstance(other, str) else other for other in others))


CHAIR, MUG, BALL = plain("chair"), plain("mug"), plain("ball")
BLUE_CHAIR = Phrase("blue chair", "chair", ("blue",))
RED_BALL = Phrase("red ball", "ball", ("red",))

SENTENCES = [
    ("mug", MUG),
    ("  A Mug! ", MUG),
    ("the blue chair", BLUE_CHAIR),
    ("the blue chair by the window", where(BLUE_CHAIR, rel("near", "window"))),
    ("something to sit on", plain("something to sit on")),
    ("something to sit on near the window", where(plain("something to sit on"), rel("near", "window"))),
    ("a box for putting toys in by the door", where(plain("box for putting toys in"), rel("near", "door"))),
    ("something to hide behind", plain("something to hide behind")),
    ("the largest box", the("largest", plain("box"))),
    ("the biggest red ball", the("largest", RED_BALL)),
    ("the smallest pillow", the("smallest", plain("pillow"))),
    ("the largest", the("largest", ANY)),
    ("second largest box", plain("second largest box")),
    ("the red ball left of the sofa", where(RED_BALL, rel("left of", "sofa"))),
    ("the ball to the left of the sofa", where(BALL, rel("left of", "sofa"))),
    ("the ball on the right-hand side of the sofa", where(BALL, rel("right of", "sofa"))),
    ("the ball on the left", the("leftmost", BALL)),
    ("the picture on the left wall", where(plain("picture"), rel("on", "left wall"))),
    ("the book on the table", where(plain("book"), rel("on", "table"))),
    ("the book lying on top of the table", where(plain("book"), rel("on", "table"))),
    ("the bag underneath the table", where(plain("bag"), rel("below", "table"))),
    ("the lamp hanging over the table", where(plain("lamp"), rel("above", "table"))),
    ("the toy inside the crate", where(plain("toy"), rel("in", "crate"))),
    ("the chair right next to the sofa", where(CHAIR, rel("near", "sofa"))),
    ("the chair far away from the sofa", where(CHAIR, rel("far from", "sofa"))),
    ("the chair in front of the tv", where(CHAIR, rel("in front of", "tv"))),
    ("the broom behind the door", where(plain("broom"), rel("behind", "door"))),
    ("the picture between the door and the window", where(plain("picture"), rel("between", "door", "window"))),
    ("the plant between the two chairs", where(plain("plant"), rel("between", "chairs"))),
    ("a chair near the tallest lamp", where(CHAIR, rel("near", the("tallest", plain("lamp"))))),
    ("the nearest chair to the window", the("nearest", CHAIR, plain("window"))),
    ("the chair closest to the window", the("nearest", CHAIR, plain("window"))),
    ("the chair nearest the window", the("nearest", CHAIR, plain("window"))),
    ("the chair furthest away from the door", the("farthest", CHAIR, plain("door"))),
    ("the nearest chair", the("nearest", CHAIR)),
    ("the chair nearest to me", the("nearest", CHAIR)),
    ("the mug on the table by the window", where(MUG, rel("on", where(plain("table"), rel("near", "window"))))),
    ("the mug on the table and by the window", where(MUG, rel("on", "table"), rel("near", "window"))),
    ("the mug on the table, near the lamp", where(MUG, rel("on", "table"), rel("near", "lamp"))),
    ("the remote control", plain("remote control")),
    ("the row of books", plain("row of books")),
    ("chest of drawers", plain("chest of drawers")),
    ("jacket on the back of the chair", plain("jacket on the back of the chair")),
    ("the lamp in the corner", plain("lamp in the corner")),
    ("the mug in the room", MUG),
    ("where is the mug?", MUG),
    ("Show me what's on the table, please.", where(ANY, rel("on", "table"))),
    ("which chair is by the window", where(CHAIR, rel("near", "window"))),
    ("everything", ANY),
    ("something red", Phrase("", "", ("red",))),
    ("the red one", Phrase("", "", ("red",))),
    ("the man in red", Phrase("red man", "man", ("red",))),
    ("a dark grey-blue sofa", Phrase("dark grey-blue sofa", "sofa", ("grey", "blue"))),
    ("red and white blanket", Phrase("red and white blanket", "blanket", ("red", "white"))),
    ("a gray navy bag", Phrase("gray navy bag", "bag", ("grey", "blue"))),
    ("the orange on the plate", where(plain("orange"), rel("on", "plate"))),
    ("orange juice", plain("orange juice")),
    ("the orange chair", Phrase("orange chair", "chair", ("orange",))),
    ("a frobnicating gizmo", plain("frobnicating gizmo")),
]


@pytest.mark.parametrize(("sentence", "tree"), SENTENCES, ids=[sentence for sentence, _ in SENTENCES])
def test_sentence(sentence: str, tree: Phrase) -> None:
    assert parse(sentence) == tree


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("the blue chair by the window", "chair, colour blue, near: window"),
        ("the mug on the table by the window", "mug, on: (table, near: window)"),
        ("the mug on the table and by the window", "mug, on: table, near: window"),
        ("the largest box", "box, the largest"),
        ("the chair farthest from the door", "chair, farthest from: door"),
        ("the nearest chair", "chair, nearest to the viewer"),
        ("the plant between the chairs", "plant, between two of: chairs"),
        ("the plant between the sofa and the door", "plant, between: sofa and door"),
        ("anything red or blue", "anything, colour red or blue"),
        ("a bottle with a red cap", "bottle with a red cap"),
        ("the white bottle with a red cap", "bottle with a red cap, colour white"),
        ("the on/off switch", "on-off switch"),
    ],
)
def test_understood(sentence: str, words: str) -> None:
    assert understood(sentence) == words
    assert understood(parse(sentence)) == words


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", "names nothing"),
        (" ?! ", "names nothing"),
        ("the", "names nothing"),
        ("where is the", "names nothing"),
        ("the ball left of", "breaks off after 'the ball left of'"),
        ("the ball on the", "breaks off after 'the ball on'"),
        ("the mug on near the table", "breaks off after 'the mug on'"),
        ("the mug between the lamp and", "breaks off after 'the mug between the lamp and'"),
        ("the chair closest to", "breaks off after 'the chair closest to'"),
        ("the chair that is not blue", "what is not so"),
        ("a chair that isn't blue", "what is not so"),
    ],
)
def test_what_cannot_be_taken_apart_is_said(sentence: str, message: str) -> None:
    with pytest.raises(S3DError, match="(?s)" + message + ".*fix:"):
        parse(sentence)


def test_phrases_are_all_those_of_the_tree() -> None:
    root = parse("the mug on the table nearest to the door and between the lamp and the sofa")
    assert [phrase.noun for phrase in phrases(root)] == ["mug", "table", "door", "lamp", "sofa"]


@pytest.mark.parametrize(
    "text", ["no sofa", "a cup without a handle", "anything except the chairs", "a chair that never moves"]
)
def test_what_is_denied_is_refused(text: str) -> None:
    with pytest.raises(S3DError, match="says what is not so"):
        parse(text)


@pytest.mark.parametrize("text", ["the mug in front of me", "a table near us"])
def test_where_the_one_who_asks_stands_is_not_known(text: str) -> None:
    with pytest.raises(S3DError, match="does not know where you stand"):
        parse(text)


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"margin": 2.0}, "--search.margin is 2.0"),
        ({"least_relevancy": 5.0}, "--search.least-relevancy is 5.0"),
        ({"least_colour": -0.1}, "--search.least-colour is -0.1"),
        ({"sharpness": 0.0}, "--search.sharpness is 0.0"),
        ({"sharpness": float("nan")}, "--search.sharpness is nan"),
    ],
)
def test_options_under_which_nothing_is_found_are_refused(options: dict[str, float], flag: str) -> None:
    with pytest.raises(S3DError) as error:
        QueryOptions(**options)
    assert flag in str(error.value)
