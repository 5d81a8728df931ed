"""Class names of the NYU40 label set, in which the ScanNet benchmarks count."""

from __future__ import annotations

import re
import unicodedata

_NAMES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter"),
    *("blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books"),
    *("refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand"),
    *("toilet", "sink", "lamp", "bathtub", "bag", "other structure", "other furniture", "other prop"),
)
_OTHER_WORDS = {
    "armchair": "chair",
    "office chair": "chair",
    "couch": "sofa",
    "dining table": "table",
    "coffee table": "table",
    "kitchen cabinet": "cabinet",
    "kitchen counter": "counter",
    "bookcase": "bookshelf",
    "blind": "blinds",
    "shelf": "shelves",
    "mat": "floor mat",
    "rug": "floor mat",
    "carpet": "floor mat",
    "book": "books",
    "fridge": "refrigerator",
    "refridgerator": "refrigerator",  # as the label set itself spells it
    "tv": "television",
    "bath tub": "bathtub",
    "trousers": "clothes",
    "wash basin": "sink",
}
_ID_OF = {name.replace(" ", ""): id for id, name in enumerate(_NAMES, start=1)}


def nyu40_id(class_name: str | None) -> int | None:
    """The id, 1..40, of a class by its name, whatever its case and joints ("Floor-Mat"); None where the set lacks it."""
    plain = unicodedata.normalize("NFKC", class_name or "").casefold()
    words = re.sub(r"[\s_-]+", " ", plain).strip()
    return _ID_OF.get(_OTHER_WORDS.get(words, words).replace(" ", ""))
