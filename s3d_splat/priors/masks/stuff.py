"""Which classes are stuff: one instance, however many pieces a picture shows."""

from __future__ import annotations

import re

# The first word of a class. Only what has no pieces that anybody would count, move or remove; a table, a cabinet or a door,
# which COCO calls stuff, is a thing here.
_STUFF = frozenset(
    {"wall", "walls", "floor", "floors", "ceiling", "sky", "ground", "earth", "terrain", "road", "street", "pavement"}
    | {"sidewalk", "grass", "field", "playingfield", "vegetation", "dirt", "sand", "gravel", "snow", "water", "sea"}
    | {"river", "lake", "mountain", "hill"}
)


def is_stuff(name: str) -> bool:
    """Whether a class by this name is stuff: `wall-brick` of COCO, `earth, ground` of ADE20K, `floor` of everybody.

    A name of two words without a mark between them, such as `floor lamp`, is a thing.
    """
    return re.split(r"[-,;/_]", name.lower())[0].strip() in _STUFF
