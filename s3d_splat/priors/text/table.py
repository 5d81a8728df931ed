"""Embeddings that another machine has made: for one without the encoder's weights, and for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.errors import S3DError
from s3d_splat.io.labels import read_json
from s3d_splat.io.results import read_npz
from s3d_splat.priors.text.base import Picture

_FIELDS = ("encoder", "texts", "text_vectors", "pictures", "picture_vectors")


class TableEncoder:
    """Looks vectors up: texts by their words, pictures by their pixels (`picture_key`).

    The file is JSON, {"a text": [d numbers], ...}, which knows no picture, or npz with `encoder` (name), `texts` [n],
    `text_vectors` [n,d], `pictures` [m] (keys) and `picture_vectors` [m,d].
    """

    def __init__(self, path: Path | None) -> None:
        """Raises S3DError for a file that is missing or not as it should be."""
        if path is None:
            raise S3DError(
                "the encoder `table` has no table", why="it looks embeddings up in a file", fix="name it with --embeddings"
            )
        self._path = path
        self.name, self._texts, self._pictures = _read(path)
        rows = [*self._texts.values(), *self._pictures.values()]
        sizes = {len(row) for row in rows}
        if len(sizes) != 1:
            raise S3DError(f"{path} has vectors of {len(sizes)} lengths", why="all are of one space", fix="make it again")
        self.dimension = sizes.pop()

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        keys = [picture_key(picture) for picture in pictures]
        return self._found(self._pictures, keys, "picture", "encode these pictures where the encoder is")

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        return self._found(self._texts, texts, "text", f"ask for one of: {', '.join(sorted(self._texts)[:20])}")

    def _found(self, rows: Mapping[str, np.ndarray], keys: Sequence[str], kind: str, fix: str) -> Float[Tensor, "n d"]:
        missing = [key for key in keys if key not in rows]
        if missing:
            raise S3DError(
                f"{self._path} has no vector for the {kind} {missing[0]!r}", why="a table knows what it holds", fix=fix
            )
        if not keys:
            return torch.zeros(0, self.dimension)
        return normalize(torch.from_numpy(np.stack([rows[key] for key in keys])).float(), dim=1)


def picture_key(picture: Picture) -> str:
    """Of a picture's size and pixels."""
    shape = ",".join(str(side) for side in picture.shape).encode()
    return hashlib.sha256(shape + picture.contiguous().numpy().tobytes()).hexdigest()


Rows = dict[str, np.ndarray]


def _read(path: Path) -> tuple[str, Rows, Rows]:
    why, fix = "it holds embeddings", "name a file of embeddings with --embeddings"
    if path.suffix == ".json":
        value = read_json(path, why=why, fix=fix)
        if not isinstance(value, dict) or not value:
            raise S3DError(f"{path} holds no table of embeddings", why='it must be {"a text": [numbers], ...}', fix=fix)
        return f"table {path.name}", {text: _vector(path, text, row) for text, row in value.items()}, {}
    arrays = read_npz(path, _FIELDS, why=why, fix=fix)
    texts, pictures = (
        {str(key): _vector(path, str(key), row) for key, row in zip(arrays[keys], arrays[rows], strict=True)}
        for keys, rows in (("texts", "text_vectors"), ("pictures", "picture_vectors"))
    )
    return str(arrays["encoder"]), texts, pictures


def _vector(path: Path, key: str, row: object) -> np.ndarray:
    try:
        vector = np.asarray(row, dtype=np.float32)
    except (TypeError, ValueError):
        vector = np.zeros(0, dtype=np.float32)
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all() or not vector.any():
        raise S3DError(
            f"{path} has no vector for {key!r}", why="a row of finite numbers is needed, not all 0", fix="make it again"
        )
    return vector
