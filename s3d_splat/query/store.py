"""The vectors of a run's objects on disk, with what they were made from, so that only what changed is made again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_npz
from s3d_splat.io.results import read_npz
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.values import CropOfObject, InstanceEmbeddings
from s3d_splat.types import InstanceSet

_ARRAYS = (
    *("format_version", "encoder", "options", "field", "id", "print", "vector", "spread"),
    *("frames", "pixels"),
    *("crop_id", "crop_frame", "crop_box", "crop_background", "crop_weight"),
)
_FORMAT = 1


def write_embeddings(
    path: Path, embeddings: InstanceEmbeddings, prints: dict[int, str], field: str, options: PictureOptions
) -> None:
    """Write the vectors; `prints` are those of the objects, `field` names the trained field that rendered them."""
    crops = embeddings.crops
    write_npz(
        path,
        format_version=np.array(_FORMAT),
        encoder=np.array(embeddings.encoder),
        options=np.array(_words(options)),
        field=np.array(field),
        id=embeddings.id.astype(np.int32),
        print=np.array([prints[id] for id in embeddings.id.tolist()], dtype=str),
        vector=embeddings.vector.astype(np.float32),
        spread=embeddings.spread.astype(np.float32),
        frames=np.array(embeddings.frames, dtype=str),
        pixels=embeddings.pixels.astype(np.int32),
        crop_id=np.array([crop.id for crop in crops], dtype=np.int32),
        crop_frame=np.array([crop.frame for crop in crops], dtype=str),
        crop_box=np.array([crop.box for crop in crops], dtype=np.int32).reshape(-1, 4),
        crop_background=np.array([crop.background for crop in crops], dtype=bool),
        crop_weight=np.array([crop.weight for crop in crops], dtype=np.float32),
    )


def read_embeddings(
    path: Path, encoder: str, prints: dict[int, str], field: str, options: PictureOptions
) -> InstanceEmbeddings | None:
    """The vectors that are there and still true: those of objects whose Gaussians are the same in the same field.

    None where there are none, or they were made from other pictures.

    Raises:
        S3DError: the file is damaged, or its vectors come from another encoder.
    """
    if not path.exists():
        return None
    fix = "give --again, which makes the vectors anew"
    arrays = read_npz(path, _ARRAYS, why="it holds the vectors of the run's objects", fix=fix)
    made_with = str(arrays["encoder"])
    if made_with != encoder:
        raise S3DError(
            f"{path} was made with the encoder {made_with}, not with {encoder}",
            why="vectors of two encoders cannot be compared",
            fix="ask with the first, or give --again, which makes the vectors anew",
        )
    if (
        int(arrays["format_version"]) != _FORMAT
        or str(arrays["field"]) != field
        or str(arrays["options"]) != _words(options)
    ):
        return None
    ids, vectors, spread = arrays["id"].astype(np.int64), arrays["vector"], arrays["spread"]
    lengths = {len(ids), len(vectors), len(spread), len(arrays["print"]), *arrays["pixels"].shape[1:]}
    if vectors.ndim != 2 or arrays["pixels"].ndim != 2 or len(lengths) > 1:
        raise S3DError(f"{path} is damaged: its arrays differ in length", why="row i of each is one object", fix=fix)
    kept = np.array([prints.get(int(id)) == own for id, own in zip(ids, arrays["print"], strict=True)], dtype=bool)
    same = set(ids[kept].tolist())
    return InstanceEmbeddings(
        encoder=encoder,
        id=ids[kept],
        vector=vectors[kept].astype(np.float64),
        spread=spread[kept].astype(np.float64),
        crops=tuple(crop for crop in _crops(arrays) if crop.id in same),
        frames=tuple(arrays["frames"].tolist()),
        pixels=arrays["pixels"].astype(np.int64)[:, kept],
    )


def fingerprints(instances: InstanceSet) -> dict[int, str]:
    """Of every object: which Gaussians it owns."""
    owner = instances.child_instance.reshape(-1).cpu().numpy()
    order = np.argsort(owner, kind="stable")
    ids = np.sort(instances.instance_id.cpu().numpy()).astype(np.int64)
    starts, ends = (np.searchsorted(owner[order], ids, side=side) for side in ("left", "right"))
    return {int(id): _digest(order[start:end].astype(np.int64)) for id, start, end in zip(ids, starts, ends, strict=True)}


def _crops(arrays: dict[str, Any]) -> list[CropOfObject]:
    columns = (arrays[f"crop_{name}"].tolist() for name in ("id", "frame", "box", "background", "weight"))
    return [
        CropOfObject(id, frame, (box[0], box[1], box[2], box[3]), background, weight)
        for id, frame, box, background, weight in zip(*columns, strict=True)
    ]


def _digest(values: Int[np.ndarray, " n"]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


def _words(options: PictureOptions) -> str:
    return repr(sorted(asdict(options).items()))
