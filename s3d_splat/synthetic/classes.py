"""The classes of the built-in room: NYU40 ids, and 41 upwards for what NYU40 lacks."""

from __future__ import annotations

CLASS_IDS = {
    "wall": 1,
    "floor": 2,
    "cabinet": 3,
    "chair": 5,
    "sofa": 6,
    "table": 7,
    "door": 8,
    "window": 9,
    "bookshelf": 10,
    "picture": 11,
    "curtain": 16,
    "pillow": 18,
    "floor mat": 20,
    "ceiling": 22,
    "books": 23,
    "box": 29,
    "lamp": 35,
    "otherprop": 40,
    "plant": 41,
    "cup": 42,
    "bowl": 43,
    "ball": 44,
    "bottle": 45,
    "clock": 46,
    "trash can": 47,
}

STUFF = ("wall", "floor", "ceiling")
