"""Point clouds as PLY: positions and normals, or labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.errors import S3DError
from s3d_splat.io.ply import finite_columns, read_vertices
from s3d_splat.metrics.overlaps import PointLabels

CLASS_PROPERTIES = ("semantic", "label")  # `label`: how ScanNet's own files call the NYU40 class

_WRITE_AGAIN = "write the file again, with an element vertex"
_NO_DISTANCE = "no distance can be measured to it"


@dataclass(frozen=True)
class Cloud:
    """Points and, where the file has them, normals (of any length)."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None


def read_cloud(path: Path) -> Cloud:
    """Read x y z and, where present, nx ny nz.

    Raises:
        S3DError: unreadable, no PLY, no x y z, or values that are not finite.
    """
    vertices = read_vertices(path, fix=_WRITE_AGAIN)
    points = finite_columns(vertices, ("x", "y", "z"), path, why=_NO_DISTANCE)
    if points is None:
        raise S3DError(f"{path} has no x y z", why="distances are measured between points", fix="write a point cloud")
    return Cloud(points, finite_columns(vertices, ("nx", "ny", "nz"), path, why=_NO_DISTANCE))


def read_labels(path: Path) -> PointLabels:
    """Read the vertex property `instance`, and where present `semantic` (or `label`).

    Raises:
        S3DError: unreadable, no PLY, no `instance`, or other values than whole numbers from 0 up.
    """
    vertices = read_vertices(path, fix=_WRITE_AGAIN)
    instance = _labels(path, vertices, ("instance",))
    if instance is None:
        raise _lacks(path, "instance")
    return PointLabels(instance, _labels(path, vertices, CLASS_PROPERTIES))


def read_classes(path: Path) -> Int[np.ndarray, " n"]:
    """Read the vertex property `semantic` (or `label`).

    Raises:
        S3DError: unreadable, no PLY, neither of them, or other values than whole numbers from 0 up.
    """
    classes = _labels(path, read_vertices(path, fix=_WRITE_AGAIN), CLASS_PROPERTIES)
    if classes is None:
        raise _lacks(path, "semantic")
    return classes


def _labels(path: Path, vertices: np.ndarray, properties: tuple[str, ...]) -> Int[np.ndarray, " n"] | None:
    """The first of some properties that the vertices have."""
    names = [name for name in properties if name in (vertices.dtype.names or ())]
    if not names:
        return None
    values = vertices[names[0]]
    if values.dtype.kind not in "iu" or (values.size and int(values.min()) < 0):
        lowest = f", the lowest is {values.min()}" if values.dtype.kind in "iu" else ""
        raise S3DError(
            f"{path}: the property `{names[0]}` is {values.dtype}{lowest}",
            why="labels are whole numbers from 0 (none) up",
            fix="write it as `property int`",
        )
    return values.astype(np.int64)


def _lacks(path: Path, name: str) -> S3DError:
    return S3DError(
        f"{path} has no vertex property `{name}`",
        why="the labels of its points are compared",
        fix=f"add `property int {name}` to the vertices",
    )
