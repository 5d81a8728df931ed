"""`proxy.ply`: points with colours, and where known normals, confidence and instance."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing
from s3d_splat.types import ProxyGeometry

_MAKE_PROXY = "make the point cloud again, from depth or structure from motion"


def write_proxy(path: Path, proxy: ProxyGeometry) -> None:
    """Write x y z (float), red green blue (uchar) and, where present, nx ny nz, confidence (float) and instance (int)."""
    from plyfile import PlyData, PlyElement

    columns: list[tuple[str, str, Tensor]] = []
    for axis, name in enumerate(("x", "y", "z")):
        columns.append((name, "f4", proxy.points[:, axis]))
    if proxy.normals is not None:
        columns += [(name, "f4", proxy.normals[:, axis]) for axis, name in enumerate(("nx", "ny", "nz"))]
    colours = (proxy.colours.nan_to_num().clamp(0, 1) * 255).round()
    columns += [(name, "u1", colours[:, axis]) for axis, name in enumerate(("red", "green", "blue"))]
    if proxy.confidence is not None:
        columns.append(("confidence", "f4", proxy.confidence))
    if proxy.instances is not None:
        columns.append(("instance", "i4", proxy.instances))
    vertices = np.empty(len(proxy.points), dtype=[(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        vertices[name] = values.detach().cpu().numpy()
    with replacing(path) as temporary:
        PlyData([PlyElement.describe(vertices, "vertex")]).write(str(temporary))


def read_proxy(path: Path) -> ProxyGeometry:
    """Read a point cloud (positions float32 in metres; uchar colours become 0..1, float colours are taken as they are).

    Raises:
        S3DError: the file is missing, no PLY, shorter or longer than its header says, has no points or no colours, or holds
            a value that is not finite.
    """
    if not path.is_file():
        raise S3DError(
            f"{path} does not exist",
            why="training starts from a coloured point cloud",
            fix="put one there, or name its file as ply_file_path in transforms.json",
        )
    vertices = read_vertices(path, fix=_MAKE_PROXY)
    if len(vertices) == 0:
        raise S3DError(f"{path} has no points", why="training starts from its points", fix=_MAKE_PROXY)
    points = _column_tensor(vertices, ("x", "y", "z"), path)
    colours = _column_tensor(vertices, ("red", "green", "blue"), path)
    if points is None or colours is None:
        raise S3DError(
            f"{path} lacks x y z or red green blue",
            why="training starts from coloured points",
            fix=_MAKE_PROXY + "; points without a known colour may be grey",
        )
    confidence = _column_tensor(vertices, ("confidence",), path)
    instances = _column_tensor(vertices, ("instance",), path)
    colours = colours / 255 if vertices["red"].dtype.kind == "u" else colours
    if colours.min() < 0 or colours.max() > 1:
        raise S3DError(f"{path} has colours outside 0..1", why="float colours are not scaled", fix="write colours as uchar")
    return ProxyGeometry(
        points=points,
        colours=colours,
        normals=_column_tensor(vertices, ("nx", "ny", "nz"), path),
        confidence=None if confidence is None else confidence[:, 0],
        instances=None if instances is None else instances[:, 0].to(torch.int32),
    )


def read_vertices(path: Path, *, fix: str) -> np.ndarray:
    """The rows of the element `vertex`, as a structured array.

    Raises:
        S3DError: unreadable, no PLY, no such element, or shorter or longer than the header says; says `fix`.
    """
    from plyfile import PlyData, PlyParseError

    try:
        _check_size(path)
        return PlyData.read(str(path), mmap=False)["vertex"].data
    except (PlyParseError, KeyError, ValueError, MemoryError, OverflowError, OSError) as error:
        raise S3DError(f"{path} cannot be read as a point cloud", why=str(error) or "broken PLY", fix=fix) from error


def finite_columns(vertices: np.ndarray, names: tuple[str, ...], path: Path, *, why: str) -> Float[np.ndarray, "n k"] | None:
    """The properties `names` of all vertices as float64, None where the file lacks one of them.

    Raises:
        S3DError: a value is not finite, or a list; says `why` that is no good.
    """
    if any(name not in (vertices.dtype.names or ()) for name in names):
        return None
    lists = [name for name in names if vertices[name].dtype.kind not in "fiu"]
    if lists:
        raise S3DError(f"{path}: {lists[0]} is a list", why=why, fix="write one number a point")
    values = np.stack([vertices[name].astype(np.float64) for name in names], axis=-1)
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise S3DError(
            f"{path}: point {int(broken.argmax())} has {' '.join(names)} that are not finite (one of {int(broken.sum())})",
            why=why,
            fix="remove these points from the file",
        )
    return values


_SIZES = {"char": 1, "uchar": 1, "int8": 1, "uint8": 1, "short": 2, "ushort": 2, "int16": 2, "uint16": 2}
_SIZES |= {"int": 4, "uint": 4, "int32": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8}


def _check_size(path: Path) -> None:
    """Compare the file with what its header promises, before anything of that size is allocated.

    Raises:
        ValueError: no header, or more or less data than it promises.
    """
    with open(path, "rb") as file:
        start = file.read(65536)
        header, end, rest = start.partition(b"end_header")
        if not start.startswith(b"ply") or not end:
            raise ValueError("the file has no PLY header")
        text = header.decode("ascii", errors="replace")
        offset = len(header) + len(end) + (2 if rest.startswith(b"\r\n") else 1)
        file.seek(offset)
        lines = sum(not line.isspace() for line in file) if "format ascii" in text else None
    rows, row_bytes, fixed = 0, 0, True
    for element in re.split(r"^element\b", text, flags=re.MULTILINE)[1:]:
        name_and_count, *properties = element.splitlines()
        count = int(_word(name_and_count, 1, "element"))
        if count < 0:
            raise ValueError(f"its header promises {count} rows")
        kinds = [_word(line, 1) for line in properties if line.startswith("property")]
        fixed = fixed and "list" not in kinds  # a list has no fixed size; it takes at least one byte
        rows += count
        row_bytes += count * sum(_SIZES.get(kind, 1) for kind in kinds)
    if lines is not None and lines != rows:
        raise ValueError(f"its header promises {rows} rows of data, but {lines} follow")
    body = path.stat().st_size - offset
    if lines is None and (body < row_bytes or (fixed and body != row_bytes)):
        raise ValueError(f"its header promises {row_bytes} bytes of data, but {body} follow")


def _word(line: str, number: int, first: str = "") -> str:
    words = line.split()
    if len(words) <= number:
        raise ValueError(f"its header has the line {' '.join([first, *words]).strip()!r}")
    return words[number]


def _column_tensor(vertices: np.ndarray, names: tuple[str, ...], path: Path) -> Float[Tensor, "n k"] | None:
    values = finite_columns(vertices, names, path, why="a point without a place or colour cannot be drawn")
    return None if values is None else torch.from_numpy(values.astype(np.float32))
