"""Embeddings that another machine has made: for one without the encoder's weights, and for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.base import Picture, TextEncoder

_FIELDS = ("encoder", "texts", "text_vectors", "pictures", "picture_vectors")
Rows = Mapping[str, Float[np.ndarray, "_"]]


class TableEncoder:
    """Looks vectors up: texts by their words, pictures by their size and pixels."""

    def __init__(self, name: str, texts: Rows, pictures: Rows, source: str = "the table") -> None:
        """Take the vectors as they are; those that it gives are of unit length.

        Args:
            name: of the encoder that has made the vectors; they may be mixed with its own.
            pictures: by `picture_key`.
            source: what messages call this table.

        Raises:
            S3DError: no vectors, of several lengths, or one that is 0 or not finite.
        """
        rows = {**pictures, **texts}
        bad = [key for key, row in rows.items() if not (np.isfinite(row).all() and row.any())]
        lengths = {len(row) for row in rows.values()}
        if bad or len(lengths) != 1:
            raise S3DError(
                f"{source} has {f'no direction for {bad[0]!r}' if bad else f'vectors of {len(lengths)} lengths'}",
                why="all vectors are of one space, finite and not 0",
                fix="make the table again",
            )
        self.name, self.dimension = name, lengths.pop()
        self._texts, self._pictures, self._source = texts, pictures, source

    @classmethod
    def read(cls, path: Path | None) -> TableEncoder:
        """Of an npz file with what `table_arrays` gives. Raises S3DError: it is missing or not as it should be."""
        why, fix = "the encoder `table` looks embeddings up in an npz file", "name one with --embeddings"
        if path is None:
            raise S3DError("there is no table of embeddings", why=why, fix=fix)
        try:
            with np.load(path, allow_pickle=False) as file:
                encoder, texts, text_vectors, pictures, picture_vectors = (file[field] for field in _FIELDS)
            named = [
                {str(key): row.astype(np.float32) for key, row in zip(keys, _matrix(rows), strict=True)}
                for keys, rows in ((texts, text_vectors), (pictures, picture_vectors))
            ]
        except FileNotFoundError:
            raise S3DError(f"{path} does not exist", why=why, fix=fix) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, EOFError, BadZipFile) as error:
            raise S3DError(
                f"{path} is no table of embeddings ({error})",
                why=f"it must hold {', '.join(_FIELDS)}, and as many names as vectors",
                fix=fix,
            ) from error
        return cls(str(encoder), named[0], named[1], str(path))

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        keys = [picture_key(picture) for picture in pictures]
        return self._found(self._pictures, keys, "picture", "encode these pictures where the encoder is")

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        known = ", ".join(sorted(self._texts)[:20])
        return self._found(self._texts, texts, "text", f"ask for one of: {known}" if known else "add texts to the table")

    def _found(self, rows: Rows, keys: Sequence[str], kind: str, fix: str) -> Float[Tensor, "n d"]:
        missing = [key for key in keys if key not in rows]
        if missing:
            raise S3DError(
                f"{self._source} has no vector for the {kind} {missing[0]!r}", why="it knows only what it holds", fix=fix
            )
        if not keys:
            return torch.zeros(0, self.dimension)
        return normalize(torch.from_numpy(np.stack([rows[key] for key in keys])).float(), dim=1)


def table_arrays(encoder: TextEncoder, texts: Sequence[str], pictures: Sequence[Picture] = ()) -> dict[str, np.ndarray]:
    """What a table of these texts and pictures holds, by the names in its npz file.

    Raises:
        S3DError: the encoder has no vector for one of them.
    """
    values = (
        np.array(encoder.name),
        np.array(texts, dtype=np.str_),
        encoder.encode_texts(texts).numpy(),
        np.array([picture_key(picture) for picture in pictures], dtype=np.str_),
        encoder.encode_pictures(pictures).numpy(),
    )
    return dict(zip(_FIELDS, values, strict=True))


class NotingEncoder:
    """Another encoder, and a note of the texts that it was given: what a table needs that is to answer the same."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.name, self.dimension = encoder.name, encoder.dimension
        self._texts: dict[str, None] = {}

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        return self._encoder.encode_pictures(pictures)

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`."""
        self._texts |= dict.fromkeys(texts)
        return self._encoder.encode_texts(texts)

    def table(self) -> dict[str, np.ndarray]:
        """`table_arrays` of these texts."""
        return table_arrays(self._encoder, list(self._texts))


def picture_key(picture: Picture) -> str:
    """Of a picture's size and pixels; the same for a tensor and an array."""
    pixels = np.ascontiguousarray(picture.cpu().numpy() if isinstance(picture, Tensor) else picture)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _matrix(rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise ValueError("vectors are rows of floating-point numbers")
    return rows
