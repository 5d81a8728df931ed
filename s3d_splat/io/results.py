"""What a run folder holds beside checkpoints: the instance set, the metrics, the rendered images."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_json, write_npz
from s3d_splat.io.images import write_image
from s3d_splat.types import InstanceSet

# Per array of instances.npz: what its dtype may be (kind) and the names of its dimensions, equal names meaning equal sizes.
_ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "anchor_instance": ("i", ("anchors",)),
    "child_instance": ("i", ("anchors", "children")),
    "instance_id": ("i", ("instances",)),
    "class_id": ("i", ("instances",)),
    "is_thing": ("ib", ("instances",)),
    "score": ("f", ("instances",)),
    "size": ("i", ("instances",)),
    "aabb": ("f", ("instances", 2, 3)),
}
MAX_COUNT = 65535
# What zipfile, zlib and NumPy say of files that are damaged, encrypted or not what their names say.
_BROKEN = (OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, BadZipFile, zlib.error)
_FAR = 1e9  # metres
_RANGES = {
    "class_id": (0, MAX_COUNT),
    "is_thing": (0, 1),
    "score": (0, 1.001),
    "size": (0, 2**31 - 1),
    "aabb": (-_FAR, _FAR),
}
_MOST_BYTES = 1 << 33  # of one array: more is a lie, or would not fit into memory


def write_instances(path: Path, instances: InstanceSet) -> None:
    """Write `instances.npz` (int32 and float32 arrays named like the fields)."""
    arrays = {name: getattr(instances, name).detach().cpu().numpy() for name in _ARRAYS}
    write_npz(path, **{name: array.astype(_dtype(name)) for name, array in arrays.items()})


def read_instances(path: Path) -> InstanceSet:
    """Read what `write_instances` wrote.

    Raises:
        S3DError: missing or damaged, an array is missing or has another type or shape, an id occurs twice, or an anchor or
            child carries an id that is not listed.
    """
    arrays = read_npz(path, tuple(_ARRAYS), why="it holds the objects of a run", fix="run `s3d-splat aggregate` on the run")
    sizes: dict[str, int] = {}
    for name, (kinds, shape) in _ARRAYS.items():
        array = arrays[name]
        expected = tuple(sizes.get(size, -1) if isinstance(size, str) else size for size in shape)
        fits = array.ndim == len(shape) and all(want in (-1, have) for want, have in zip(expected, array.shape, strict=True))
        if array.dtype.kind not in kinds or not fits:
            raise _damaged(path, f"{name} is {array.dtype} of shape {array.shape}")
        sizes |= {size: have for size, have in zip(shape, array.shape, strict=True) if isinstance(size, str)}
    known = set(arrays["instance_id"].tolist())
    if len(known) != len(arrays["instance_id"]) or min(known, default=1) < 1 or max(known, default=1) > MAX_COUNT:
        raise _damaged(path, f"instance_id repeats an id or holds one outside 1..{MAX_COUNT}")
    for name, (low, high) in _RANGES.items():
        if not ((arrays[name] >= low) & (arrays[name] <= high)).all():  # not a number is in no range
            raise _damaged(path, f"{name} holds something outside {low}..{high}")
    for name in ("anchor_instance", "child_instance"):
        strange = set(np.unique(arrays[name]).tolist()) - known - {0}
        if strange:
            raise _damaged(path, f"{name} holds id {min(strange)}, which instance_id lacks")
    return InstanceSet(**{name: torch.from_numpy(array.astype(_dtype(name))) for name, array in arrays.items()})


def read_npz(path: Path, names: tuple[str, ...], *, why: str, fix: str) -> dict[str, np.ndarray]:
    """The arrays `names` of an npz file, without unpickling anything.

    Raises:
        S3DError: missing (with `why` and `fix`), damaged, an array is missing or holds Python objects.
    """
    try:
        _check_sizes(path, names)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except FileNotFoundError:
        raise S3DError(f"{path} does not exist", why=why, fix=fix) from None
    except _BROKEN as error:
        raise S3DError(f"{path} cannot be read ({error})", why=why, fix=fix) from error


def _check_sizes(path: Path, names: tuple[str, ...]) -> None:
    """Compare what the heads of the arrays promise with what the archive holds, before anything of that size is allocated.

    Raises:
        ValueError: they differ, or an array is larger than memory should be asked for.
        Exception: whatever `zipfile` says of a file that is no archive or is damaged.
    """
    with ZipFile(path) as archive:
        for name in names:
            entry = archive.getinfo(f"{name}.npy")
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
                promised = math.prod(shape) * dtype.itemsize
                if dtype.hasobject or promised != entry.file_size - member.tell() or promised > _MOST_BYTES:
                    raise ValueError(f"{name} of shape {shape} is not what the file holds")


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write `metrics.json`. What could not be measured is None (null), never NaN: NaN raises ValueError."""
    write_json(path, dict(metrics))


def write_colour_png(path: Path, colours: Float[Tensor, "h w 3"] | UInt8[Tensor, "h w 3"]) -> None:
    """Write an 8-bit PNG; float colours are 0..1 and are clamped and rounded."""
    if colours.dtype != torch.uint8:
        colours = (colours.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    write_image(path, colours.cpu().numpy())


def write_id_png(path: Path, ids: Int[Tensor, "h w"]) -> None:
    """Write instance or class ids as a 16-bit PNG.

    Raises:
        S3DError: an id over 65535.
    """
    if ids.numel() and (int(ids.max()) > MAX_COUNT or int(ids.min()) < 0):
        raise S3DError(f"{path}: ids {int(ids.min())}..{int(ids.max())}", why="16 bits hold 0..65535", fix="use fewer ids")
    write_image(path, ids.cpu().numpy().astype(np.uint16))


def write_depth_png(path: Path, depth: Float[Tensor, "h w"]) -> None:
    """Write depths (metres along z) as a 16-bit PNG in millimetres; what is not positive or over 65.535 m becomes 0."""
    write_image(path, millimetres(depth).cpu().numpy().astype(np.uint16))


def millimetres(depth: Float[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """Depths in metres as whole millimetres that fit into 16 bits, 0 = none."""
    counts = (depth.detach() * 1000).round()
    known = torch.isfinite(counts) & (counts > 0) & (counts <= MAX_COUNT)
    return torch.where(known, counts, torch.zeros_like(counts)).to(torch.int32)


def _dtype(name: str) -> type[np.generic]:
    return np.float32 if _ARRAYS[name][0] == "f" else np.int32


def _damaged(path: Path, what: str) -> S3DError:
    return S3DError(
        f"{path}: {what}", why="the arrays of an instance set fit together", fix="run `s3d-splat aggregate` on the run"
    )
