"""Panoptic segments as masks: one id for stuff, a new one for every thing, and what is stuff."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from s3d_splat.priors.masks.panoptic import PanopticFollower
from s3d_splat.priors.masks.stuff import is_stuff
from s3d_splat.priors.masks.tracking import chunks
from s3d_splat.types import ClassInfo

IMAGES = [torch.zeros(2, 4, 3, dtype=torch.uint8)] * 3
CHAIR, WALL = ClassInfo(1, "chair", True), ClassInfo(2, "wall-brick", False)


class FakeModel:
    """Says nothing; what it would say lies with the processor."""

    device = torch.device("cpu")
    config = SimpleNamespace(id2label={0: "chair", 1: "wall-brick"})

    def __call__(self, pixel_values: torch.Tensor) -> None:
        return None


class FakeProcessor:
    """Two pieces of wall and two chairs in every picture, a column each; a fifth segment has no pixels."""

    def __call__(self, images: torch.Tensor, return_tensors: str) -> Any:
        return _Inputs(pixel_values=images[None].float())

    def post_process_panoptic_segmentation(
        self, outputs: None, target_sizes: list[tuple[int, int]], threshold: float, joined: bool
    ) -> list[dict[str, Any]]:
        assert (target_sizes, threshold, joined) == ([(2, 4)], 0.25, False)
        rows = [{"id": number, "label_id": number % 2, "score": 0.5 + number / 10} for number in range(5)]
        return [{"segmentation": torch.arange(4).repeat(2, 1), "segments_info": rows}]


class _Inputs(dict[str, torch.Tensor]):
    def to(self, device: torch.device) -> _Inputs:
        return self


def follower() -> PanopticFollower:
    return PanopticFollower(FakeModel(), FakeProcessor(), {"joined": False}, 0.25)


def test_a_stuff_class_is_one_and_a_thing_is_new_in_every_picture():
    made = follower()
    labels = list(made.follow(IMAGES[:2], None, 10))
    assert [image[0].tolist() for image in labels] == [[10, 11, 12, 11], [13, 11, 14, 11]]
    assert {number: found.info for number, found in made.found.items()} == {
        10: CHAIR,
        11: WALL,
        12: CHAIR,
        13: CHAIR,
        14: CHAIR,
    }
    assert [made.found[number].score for number in (10, 11, 12)] == [0.5, 0.6, 0.7]


def test_the_picture_of_the_chunk_before_is_not_looked_at_again():
    labels = list(follower().follow(IMAGES, torch.ones(2, 4, dtype=torch.int32), 1))
    assert [image[0].tolist() for image in labels] == [[0, 0, 0, 0], [1, 2, 3, 2], [4, 2, 5, 2]]


def test_weights_without_names_of_classes_are_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FakeModel, "config", SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"}))
    follower()
    assert "names no classes" in caplog.text


def test_ids_end_with_16_bits():
    made = follower()
    labels = list(made.follow(IMAGES[:1], None, chunks.LAST_ID))
    assert labels[0][0].tolist() == [chunks.LAST_ID, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wall", True),
        ("wall-other-merged", True),
        ("floor-wood", True),
        ("earth, ground", True),
        ("Ceiling", True),
        ("floor lamp", False),
        ("table-merged", False),
        ("cabinet", False),
        ("wallet", False),
    ],
)
def test_what_cannot_be_counted_is_stuff(name: str, expected: bool):
    assert is_stuff(name) is expected
