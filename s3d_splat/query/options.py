"""What can be chosen about questions to a scene; plain values, so that `--help` stays quick."""

from __future__ import annotations

from dataclasses import dataclass

from s3d_splat.errors import S3DError


@dataclass(frozen=True)
class QueryOptions:
    """How words are compared with objects, and what counts as a hit."""

    # The vector of a phrase is the normalised mean of these sentences' vectors, with the phrase in place of {}.
    templates: tuple[str, ...] = ("{}", "a photo of a {}.", "a photo of the {}.", "a picture of a {} in a room.")
    # What anything resembles: a hit must be nearer to the phrase than to every one of these (LERF's canonical phrases).
    negatives: tuple[str, ...] = ("object", "things", "stuff", "texture")
    # Differences of cosines are multiplied by this before they become a relevancy (LERF: 10).
    sharpness: float = 10.0
    # A hit has more relevancy than this; 0.5 = as near to the phrase as to the nearest of the negatives.
    least_relevancy: float = 0.5
    # A hit surpasses its nearest negative by at least this share of what the best hit does; 1 keeps the best only.
    margin: float = 0.5
    # Least agreement of an object's measured colour with a colour that the question names.
    least_colour: float = 0.3
    # Least score of a relation ("on the table") for it to hold.
    least_relation: float = 0.5

    def __post_init__(self) -> None:
        """Raises S3DError for options under which nothing could be found."""
        shares = ("least_relevancy", "margin", "least_colour", "least_relation")
        wrong = [name for name in shares if not 0 <= getattr(self, name) <= 1]
        if not 0 < self.sharpness < float("inf"):
            wrong.append("sharpness")
        if wrong:
            flag = f"--search.{wrong[0].replace('_', '-')}"
            raise S3DError(
                f"{flag} is {getattr(self, wrong[0])}",
                why="shares are 0 to 1, and sharpness is over 0",
                fix=f"leave {flag} away, or give a value in that range",
            )
