"""Names of images: which files are images, their order of time, and what they are called in a scene folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from s3d_splat.io.paths import files_below

SUFFIXES = (".png", ".jpg", ".jpeg")  # in upper case as well


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sorts names as people count: `2.jpg` before `10.jpg`."""
    parts: list[str | int] = [
        int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", text.casefold()))
    ]
    return parts, text


def is_image(name: str) -> bool:
    """Whether a file name is that of an image; hidden files are not."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def find_images(folder: Path) -> list[str]:
    """The images below a folder, relative to it with slashes, in natural order.

    Links to folders are followed; hidden folders are passed over.

    Raises:
        S3DError: a folder cannot be read.
    """
    below = (path.relative_to(folder) for path in files_below(folder))
    found = [path for path in below if is_image(path.name) and not any(part.startswith(".") for part in path.parts)]
    return sorted((path.as_posix() for path in found), key=natural_key)


def scene_names(paths: Sequence[str]) -> dict[str, str]:
    """What images are called in a scene folder, by their path in the capture.

    An image keeps its file name. Where images lie in several folders, the names of those join it (`left/01.jpg` is
    `left_01.jpg`, `images/` is never said); where two would then differ in the suffix at most, a number does.
    """
    shortened = _without_common_folder([PurePosixPath(path) for path in paths])
    flat = {path: "_".join(short.parts) for path, short in zip(paths, shortened, strict=True)}
    crowd = Counter(_stem(name) for name in flat.values())
    taken = {stem for stem, count in crowd.items() if count == 1}
    return {path: name if crowd[_stem(name)] == 1 else _free(name, taken) for path, name in flat.items()}


def _without_common_folder(paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    if all(len(path.parts) > 1 and path.parts[0] == "images" for path in paths):
        return [PurePosixPath(*path.parts[1:]) for path in paths]
    common = 0
    while len({path.parts[common] for path in paths}) == 1 and all(len(path.parts) > common + 1 for path in paths):
        common += 1
    return [PurePosixPath(*path.parts[common:]) for path in paths]


def _free(name: str, taken: set[str]) -> str:
    """`name`, or the first of name_2, name_3, ... that is free; it is taken from then on."""
    path = PurePosixPath(name)
    number, chosen = 1, name
    while _stem(chosen) in taken:
        number += 1
        chosen = f"{path.stem}_{number}{path.suffix}"
    taken.add(_stem(chosen))
    return chosen


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.casefold()  # some file systems know no upper and lower case


def in_order(paths: Iterable[str]) -> list[str]:
    """Paths in natural order."""
    return sorted(paths, key=natural_key)
