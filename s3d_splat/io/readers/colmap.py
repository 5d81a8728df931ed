"""COLMAP models, text or binary, with their images in `images/`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from s3d_splat.errors import S3DError
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.types import Capture

_PLACES = ("sparse/0", "sparse", ".")
_PARTS = ("cameras", "images", "points3D")


class ColmapReader:
    """Posed images and points; images of lenses that k1 k2 p1 p2 do not describe are undistorted by COLMAP."""

    name = "colmap"

    def recognises(self, folder: Path) -> bool:
        """A model in `sparse/0`, `sparse` or the folder itself."""
        return model_place(folder) is not None

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images of the model in natural order; undistorted ones are written to `work/images`."""
        place = model_place(folder)
        if place is None:
            raise S3DError(
                f"{folder} holds no COLMAP model",
                why=f"there are no {', '.join(_PARTS)} (.bin or .txt) in {', '.join(_PLACES)}",
                fix="export the model, or name the folder that holds it",
            )
        return import_colmap().read_colmap_model(folder, place, work, advance, choice)


def import_colmap() -> ModuleType:
    """The module that reads COLMAP models.

    Raises:
        S3DError: pycolmap is not installed.
    """
    try:
        from s3d_splat.io.readers import colmap_model
    except ImportError as error:
        raise S3DError(
            "COLMAP models cannot be read here",
            why="the package pycolmap is not installed",
            fix="pip install 's3d-splat[colmap]'",
        ) from error
    return colmap_model


def model_place(folder: Path) -> Path | None:
    """Where the files of a model lie: in `sparse/0`, `sparse` or the folder itself; None if there is none."""
    for place in _PLACES:
        for suffix in (".bin", ".txt"):
            if all((folder / place / f"{part}{suffix}").is_file() for part in _PARTS):
                return folder / place
    return None
