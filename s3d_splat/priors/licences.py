"""Under which licence learned weights are given away, and the user's word where that licence asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3d_splat.errors import S3DError

log = logging.getLogger("s3d_splat")


@dataclass(frozen=True)
class Licence:
    """Of weights, which is not that of the code that runs them."""

    name: str
    commercial: bool | None  # may they be used commercially? None: ask the publisher


UNKNOWN = Licence("a licence that this version does not know: ask whoever publishes them", None)


def first_match(table: Iterable[tuple[str, Licence]], source: str) -> Licence:
    """The licence beside the first part that occurs in `source`, capitals or not; `UNKNOWN` if none does."""
    lower = source.lower()
    return next((licence for part, licence in table if part in lower), UNKNOWN)


def tell_licence(weights: str, licence: Licence, accepted: Sequence[str]) -> None:
    """Log the licence of the weights before they are loaded.

    Args:
        weights: what the message calls them.
        accepted: names of licences that the user has accepted, capitals or not.

    Raises:
        S3DError: it forbids commercial use and is not among the accepted ones.
    """
    level = logging.INFO if licence.commercial else logging.WARNING
    log.log(level, "Weights %s are under %s.", weights, licence.name)
    if licence.commercial is False and licence.name.lower() not in {name.lower() for name in accepted}:
        raise S3DError(
            f"the weights {weights} are under {licence.name}",
            why="that licence forbids commercial use, so they are not loaded without your word",
            fix=f"--accept-licence {licence.name}, or other weights",
        )
