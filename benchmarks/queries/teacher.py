"""Pictures with words for the encoder, from built-in rooms that nobody asks about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.queries.pixel_encoder import COLOURS, PixelEncoder
from s3d_splat.io.images import read_counts
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import load_scene
from s3d_splat.io.transforms import frame_name
from s3d_splat.query.crops import CropStyle, crops_of
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.types import InstanceInfo

_STYLES = (CropStyle(1.2, True), CropStyle(2.0, True), CropStyle(1.2, False))
_LEAST_PIXELS = 60
_NO_WORDS = frozenset({"of", "otherprop", "print", "large"}) | set(COLOURS)


def taught_encoder(folder: Path, seeds: tuple[int, ...], frames: int) -> PixelEncoder:
    """An encoder that has seen the rooms of `seeds`, which are made in `folder` unless they are there."""
    pictures, words = [], []
    for seed in seeds:
        scene = folder / f"teacher-{seed}-{frames}"
        if not scene.exists():
            write_scene(scene, SynthOptions("scene", frames, 320, 240, seed=seed))
        for picture, own in _lessons(scene):
            pictures.append(picture)
            words.append(own)
    return PixelEncoder(pictures, words)


def words_of(entry: InstanceInfo) -> frozenset[str]:
    """What an object may be called: the words of its name and of its class."""
    said = f"{entry.name or ''} {entry.class_name}".lower().split()
    return frozenset(word for word in said if not word.isdigit() and word not in _NO_WORDS)


def _lessons(folder: Path) -> Iterator[tuple[np.ndarray, frozenset[str]]]:
    scene = load_scene(folder)
    words = {entry.id: words_of(entry) for entry in scene.instances}
    for frame in scene.frames:
        image = load_observation(frame).image.numpy()
        path = folder / "truth" / "instances" / f"{frame_name(frame.file_path)}.png"
        truth = read_counts(path, "instances", where=str(folder)).astype(np.int64)
        for id, pixels in zip(*np.unique(truth, return_counts=True), strict=True):
            if int(id) in words and pixels >= _LEAST_PIXELS:
                for _, _, picture in crops_of(image, truth == id, _STYLES):
                    yield picture, words[int(id)]
