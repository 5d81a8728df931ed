"""Questions about built-in rooms and what they mean, by the names that the rooms' makers gave to objects.

The rooms of all seeds hold the same objects, in other places and partly in other colours. What is nearest, highest or
largest was read from the truth points of each room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "colour", "shape", "relation", "nothing"]


@dataclass(frozen=True)
class RoomQuestion:
    """A sentence, and the object that it means in every room, or by the room's seed; None: nothing there."""

    text: str
    kind: Kind  # shape: something else in the room has the colour; relation: something else has the name
    means: str | Mapping[int, str] | None

    def answer(self, seed: int) -> str | None:
        """The name of the object that is meant in the room of a seed."""
        return self.means[seed] if isinstance(self.means, Mapping) else self.means


QUESTIONS = (
    RoomQuestion("beach ball", "name", "beach ball"),
    RoomQuestion("a clock", "name", "clock"),
    RoomQuestion("the light switch", "name", "light switch"),
    RoomQuestion("pile of books", "name", "pile of books"),
    RoomQuestion("sofa", "name", "sofa"),
    RoomQuestion("the yellow mug", "colour", "mug 3"),
    RoomQuestion("white candle", "colour", "candle 2"),
    RoomQuestion("the red mug", "shape", "mug 1"),
    RoomQuestion("a green mug", "shape", "mug 2"),
    RoomQuestion("green bottle", "shape", "bottle"),
    RoomQuestion("red apple", "shape", "apple"),
    RoomQuestion("the red candle", "shape", "candle 1"),
    RoomQuestion("blue bowl", "shape", "bowl"),
    RoomQuestion("the lamp on the chest of drawers", "relation", "table lamp"),
    RoomQuestion("the highest lamp", "relation", "pendant lamp"),
    RoomQuestion("the tallest lamp", "relation", "floor lamp"),
    RoomQuestion("the largest picture", "relation", "large print"),
    RoomQuestion("the mug nearest to the bottle", "relation", "mug 3"),
    RoomQuestion("the candle next to the table lamp", "relation", "candle 1"),
    RoomQuestion("the candle next to the gift box", "relation", "candle 2"),
    RoomQuestion("the highest storage box", "relation", "storage box 3"),
    RoomQuestion("something red in the bowl", "relation", "apple"),
    RoomQuestion("elephant", "nothing", None),
    RoomQuestion("a bicycle", "nothing", None),
    RoomQuestion("the purple sofa", "nothing", None),
    RoomQuestion("the mug on the floor", "nothing", None),
    RoomQuestion("the lamp under the table", "nothing", None),
)
