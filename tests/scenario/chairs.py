"""What questions to the tiny scene are tested with: an encoder that knows its colours, and copies of its run."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.cli import main
from s3d_splat.priors.text.base import Picture
from tests.scene_fixtures import COLOUR_OF_INSTANCE

_AXES = {"wall": (0,), "red": (1,), "blue": (2,), "chair": (1, 2)}
_NOTHING = 3  # the axis of all other words


class ColourWords:
    """A picture is what most of its inner half is, by its colour: the wall, something red or something blue."""

    name, dimension = "colours and words", 4

    def __init__(self) -> None:
        self.shown: list[Picture] = []  # every picture that was encoded
        self.said: list[str] = []  # and every text

    def encode_pictures(self, pictures: Sequence[Picture]) -> Tensor:
        self.shown += [picture.clone() for picture in pictures]
        return torch.eye(4)[[_most(picture) for picture in pictures]]

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        self.said += texts
        return normalize(torch.stack([self.axes(text) for text in texts]), dim=1) if texts else torch.zeros(0, 4)

    def axes(self, text: str) -> Tensor:
        words = text.replace(".", " ").split()
        vector = torch.zeros(4)
        for axis in [axis for word in words for axis in _AXES.get(word, ())] or [_NOTHING]:
            vector[axis] += 1
        return vector


def knows_colours(monkeypatch: pytest.MonkeyPatch) -> ColourWords:
    """From now on commands get this encoder."""
    encoder = ColourWords()
    monkeypatch.setattr("s3d_splat.ask.run.make_text_encoder", lambda options: encoder)
    return encoder


def own_copy(run: Path, folder: Path) -> Path:
    """A run of the same scene, without vectors and without files of answers."""
    copy = folder / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("embeddings.npz", "queries", "labels", "eval", "renders"))
    return copy


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """What `s3d-splat query ... --json` prints, which is one line."""
    capsys.readouterr()
    main(["query", *map(str, arguments), "--json"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    return json.loads(printed)


def edit_instances(run: Path, **changed: np.ndarray) -> None:
    """Replace arrays of instances.npz."""
    arrays = instances_of(run) | changed
    np.savez(run / "instances.npz", **arrays)


def instances_of(run: Path) -> dict[str, np.ndarray]:
    """The arrays of instances.npz."""
    with np.load(run / "instances.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file}


def _most(picture: Picture) -> int:
    rows, columns = (slice(length // 4, max(length - length // 4, length // 4 + 1)) for length in picture.shape[:2])
    inner = picture[rows, columns].reshape(-1, 3).float()
    nearest = torch.cdist(inner, COLOUR_OF_INSTANCE[1:].float()).argmin(dim=1)
    return int(torch.bincount(nearest, minlength=3).argmax())
