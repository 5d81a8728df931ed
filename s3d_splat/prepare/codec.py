"""The values between the stages as files: plain values in JSON, large arrays in one npz, nothing pickled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_json, write_npz
from s3d_splat.io.labels import read_json
from s3d_splat.io.results import read_npz

_INLINE = 16  # numbers of an array that is written into the JSON: a pose
_WHY = "it holds a finished stage"
_FIX = "remove the folder; the stage is then done again"


def save_value(folder: Path, value: Any) -> None:
    """Write dataclasses, tuples, mappings, paths, tensors and plain values to `folder/value.json` and `folder/arrays.npz`.

    Raises:
        S3DError: the file system refuses.
        TypeError: a value of another kind.
    """
    arrays: dict[str, np.ndarray] = {}
    encoded = _encode(value, arrays)
    write_npz(folder / "arrays.npz", **arrays)
    write_json(folder / "value.json", encoded)


def load_value(folder: Path, types: tuple[type, ...]) -> Any:
    """Read what `save_value` wrote; lists come back as tuples.

    Args:
        types: the dataclasses that may occur; nothing else is ever made.

    Raises:
        S3DError: missing or damaged.
    """
    encoded = read_json(folder / "value.json", why=_WHY, fix=_FIX)
    path = folder / "arrays.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            names = tuple(file.files)
        arrays = read_npz(path, names, why=_WHY, fix=_FIX)
        return _decode(encoded, arrays, {kind.__name__: kind for kind in types})
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise S3DError(f"{folder} cannot be read ({error})", why=_WHY, fix=_FIX) from error


def plain(value: Any) -> Any:
    """A value of options as JSON writes it, for fingerprints.

    Raises:
        TypeError: it holds an array, which options do not.
    """
    arrays: dict[str, np.ndarray] = {}
    encoded = _encode(value, arrays)
    if arrays:
        raise TypeError("options hold no arrays")
    return encoded


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value.detach().cpu(), arrays)
    if is_dataclass(value) and not isinstance(value, type):
        content = {field.name: _encode(getattr(value, field.name), arrays) for field in fields(value)}
        return {"type": type(value).__name__, "fields": content}
    if isinstance(value, Mapping):
        return {"map": [[_encode(key, arrays), _encode(entry, arrays)] for key, entry in value.items()]}
    if isinstance(value, tuple | list):
        return [_encode(entry, arrays) for entry in value]
    raise TypeError(f"a {type(value).__name__} cannot be kept between stages")


def _encode_tensor(tensor: torch.Tensor, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if tensor.numel() <= _INLINE and bool(torch.isfinite(tensor).all()):
        return {"tensor": tensor.tolist(), "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
    name = f"a{len(arrays)}"
    arrays[name] = tensor.numpy()
    return {"array": name}


def _decode(value: Any, arrays: Mapping[str, np.ndarray], types: Mapping[str, type]) -> Any:
    if isinstance(value, list):
        return tuple(_decode(entry, arrays, types) for entry in value)
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "path" in value:
        return Path(value["path"])
    if "array" in value:
        return torch.from_numpy(arrays[value["array"]])
    if "tensor" in value:
        return torch.tensor(value["tensor"], dtype=getattr(torch, value["dtype"])).reshape(value["shape"])
    if "map" in value:
        return {_decode(key, arrays, types): _decode(entry, arrays, types) for key, entry in value["map"]}
    return types[value["type"]](**{name: _decode(entry, arrays, types) for name, entry in value["fields"].items()})
