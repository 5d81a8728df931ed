"""What structure from motion found out about a cluster, as plain arrays: kept on disk between runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float, Int

_FINGERPRINT = "made_from"


@dataclass(frozen=True)
class SparseModel:
    """Cameras and points in the gauge of the model; arrays over all views, posed or not.

    Observations say which view saw which point, in the direction (x, y, 1) of the camera's axes, free of distortion.
    """

    T_model_camera: Float[np.ndarray, "n 4 4"]
    is_posed: Bool[np.ndarray, " n"]
    lens: Float[np.ndarray, "n 5"]  # of the image that was searched: fx, fy, cx, cy, k1
    points: Float[np.ndarray, "m 3"]
    view: Int[np.ndarray, " o"]  # int64
    point: Int[np.ndarray, " o"]  # int64, row of `points`
    direction: Float[np.ndarray, "o 2"]


def write_model(path: Path, model: SparseModel, made_from: str) -> None:
    """Write the model, whole or not at all. `made_from` names what it depends on."""
    arrays = {field.name: getattr(model, field.name) for field in fields(SparseModel)}
    temporary = path.with_name(f".partial-{path.name}")
    try:
        np.savez(temporary, **arrays, **{_FINGERPRINT: np.array(made_from)})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_model(path: Path, made_from: str) -> SparseModel | None:
    """The model that was written for `made_from`; None if there is none, or it is damaged or was made from other things."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file[_FINGERPRINT]) != made_from:
                return None
            return SparseModel(**{field.name: file[field.name] for field in fields(SparseModel)})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
