"""The words that questions are taken apart by; everything else is a name for things."""

from __future__ import annotations

from typing import Literal, get_args

RelationKind = Literal[
    "left of", "right of", "in front of", "behind", "above", "below", "on", "in", "near", "far from", "between"
]
SuperlativeKind = Literal[
    "largest",
    "smallest",
    "tallest",
    "shortest",
    "longest",
    "widest",
    "highest",
    "lowest",
    "leftmost",
    "rightmost",
    "nearest",
    "farthest",
]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _several(names: str) -> list[str]:
    return names.split(", ")


_RELATIONS: dict[RelationKind, str] = {
    "left of": "to the left side of, to the left of, on the left side of, on the left of, at the left of, left of",
    "right of": "to the right side of, to the right of, on the right side of, on the right of, at the right of, right of",
    "in front of": "in front of, in the front of",
    "behind": "behind",
    "above": "above, over",
    "below": "below, under, underneath, beneath",
    "on": "on, on top of, on the top of, atop, upon",
    "in": "in, inside, inside of, within",
    "near": "near, near to, by, next to, beside, close to, close by, alongside, adjacent to, against, at, touching",
    "far from": "far from, far away from, away from",
    "between": "between, in between",
}
# Sequences of words that introduce another phrase.
MARKERS: dict[tuple[str, ...], RelationKind] = {
    tuple(words.split()): kind for kind, several in _RELATIONS.items() for words in _several(several)
}
LONGEST_MARKER = max(map(len, MARKERS))

SUPERLATIVES: dict[str, SuperlativeKind] = {kind: kind for kind in get_args(SuperlativeKind)} | {
    "biggest": "largest",
    "greatest": "largest",
    "tiniest": "smallest",
    "littlest": "smallest",
    "topmost": "highest",
    "uppermost": "highest",
    "closest": "nearest",
    "furthest": "farthest",
}
# What joins a superlative of distance with what the distance is to.
LINKS: dict[SuperlativeKind, tuple[tuple[str, ...], ...]] = {
    "nearest": (("to",),),
    "farthest": (("away", "from"), ("from",), ("to",)),
}
ORDINALS = _set("second third fourth fifth next")
VIEWER = _set("me us you camera cameras viewer")

# Every colour that has a measured region (`colours.py`), and other words for them; two where a word lies on a border.
COLOURS: dict[str, tuple[str, ...]] = {
    name: (name,)
    for name in _several("black, white, grey, red, orange, yellow, green, blue, purple, pink, brown, beige, turquoise")
} | {
    "gray": ("grey",),
    "silver": ("grey",),
    "charcoal": ("grey", "black"),
    "greyish": ("grey",),
    "grayish": ("grey",),
    "crimson": ("red",),
    "scarlet": ("red",),
    "maroon": ("red", "brown"),
    "burgundy": ("red", "purple"),
    "reddish": ("red",),
    "gold": ("yellow", "orange"),
    "golden": ("yellow", "orange"),
    "yellowish": ("yellow",),
    "greenish": ("green",),
    "navy": ("blue",),
    "bluish": ("blue",),
    "violet": ("purple",),
    "lilac": ("purple",),
    "magenta": ("pink", "purple"),
    "brownish": ("brown",),
    "tan": ("beige", "brown"),
    "khaki": ("beige", "green"),
    "cream": ("beige", "white"),
    "ivory": ("beige", "white"),
    "cyan": ("turquoise",),
    "teal": ("turquoise",),
    "aqua": ("turquoise",),
}
SHADES = _set("dark light bright pale deep pastel sky")
COLOURED = _set("coloured colored")
# Colours that are things where they stand alone, and names that begin with a colour without having it.
FRUIT = frozenset({"orange"})
NAMES_WITH_COLOUR = frozenset(
    tuple(name.split())
    for name in _several(
        "orange juice, orange tree, orange peel, white board, black board, red wine, white wine, green tea, "
        "black pepper, cream cheese, ice cream, golden retriever, gold fish"
    )
)

ARTICLES = _set("the a an this that these those my your his her our their some any all every each")
# Said without meaning, wherever they stand.
SILENT = _set("that which what who is are was were please")
# Dropped before a relation: "lying on", "right next to".
BEFORE_RELATION = _set(
    "sitting lying laying standing hanging hung placed located situated positioned resting leaning mounted "
    "right directly just immediately straight exactly very"
)
# Names of nothing in particular.
ANYTHING = _set("something anything everything thing things object objects item items one ones stuff whatever")
# Parts of a place rather than objects: "in the corner" stays part of the name.
PLACES = _set("corner middle center centre background foreground front back end side edge top bottom")
# What a question may begin with.
OPENINGS = (
    "show me|show|find me|find|give me|get me|point to|look for|search for|select|highlight|locate|i want|i need|"
    "i am looking for|where is|where are|what is|what are|which is|which are|is there|are there|can you see|do you see"
)
# The scene itself: everything is in it.
SCENE = "room|scene|house|flat|apartment|building"
