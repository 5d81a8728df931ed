"""Questions to a built-in room that was trained here, and that wrong plumbing gives wrong answers.

The encoder has learnt words from pictures of other rooms; it sees pixels only. What is broken on purpose below is what goes
unnoticed otherwise: pictures of the wrong place, ids of another view, vectors in the wrong rows or of wild lengths.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.queries import pixel_encoder, rooms
from benchmarks.queries.pixel_encoder import PixelEncoder
from benchmarks.queries.rooms import ask_room, summary
from benchmarks.queries.teacher import taught_encoder
from s3d_splat.ask import run as ask_run
from s3d_splat.ask.run import SearchableRun
from s3d_splat.config import load_preset
from s3d_splat.pipeline.train import train
from s3d_splat.query import crops
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.values import InstanceEmbeddings
from s3d_splat.query.views import Look
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.types import Frame, InstanceSet
from tests.scenario.chairs import own_copy

SEED, TEACHERS = 1, (5, 6, 7)
FRAMES, STEPS = 60, 600
LESSONS = 20  # views of each room that the encoder learns from
TREES = 50  # and quicker ones than in the benchmark
VIEWS = 4  # of each object
RIGHT = 0.9  # share of right answers, at least
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # of the wildest lengths


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("room")
    write_scene(folder / "scene", SynthOptions(frames=FRAMES, seed=SEED))
    config = load_preset("fast")
    train(folder / "scene", folder / "run", replace(config, training=replace(config.training, steps=STEPS)), "train")
    return folder / "run"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> PixelEncoder:
    trees = pixel_encoder.ExtraTreesClassifier
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pixel_encoder, "ExtraTreesClassifier", lambda _, **options: trees(TREES, **options | {"max_features": 0.05})
        )
        return taught_encoder(tmp_path_factory.mktemp("teachers"), TEACHERS, LESSONS)


@pytest.fixture(scope="module", autouse=True)
def looked_at_once() -> Iterator[None]:
    """What does not change between the tests is made once: views as they are, and which true objects ours overlap."""
    look_at, overlap = ask_run._look, rooms.overlaps
    seen: dict[str, Look] = {}
    overlaps: list[tuple[Mapping[int, np.ndarray], list[int]]] = []

    def remembered(run: Any, instances: InstanceSet, frame: Frame) -> Callable[[], Look]:
        if frame.file_path not in seen:
            seen[frame.file_path] = look_at(run, instances, frame)()
        return lambda: seen[frame.file_path]

    def overlapped(found: SearchableRun) -> tuple[Mapping[int, np.ndarray], list[int]]:
        if not overlaps:
            overlaps.append(overlap(found))
        return overlaps[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ask_run, "_look", remembered)
        patch.setattr(rooms, "overlaps", overlapped)
        patch.setattr(rooms, "PictureOptions", lambda: PictureOptions(views=VIEWS))
        yield


@pytest.fixture(scope="module")
def rows(run: Path, encoder: PixelEncoder, looked_at_once: None) -> list[dict[str, Any]]:
    return ask_room(run, SEED, encoder)


def test_the_right_objects_are_found(rows: list[dict[str, Any]]):
    wrong = [(row["text"], row["expected"], row["found"], row["note"]) for row in rows if not row["right"]]
    figures = summary(rows)
    assert figures["questions"] == 27
    assert figures["accuracy"] >= RIGHT, wrong
    assert figures["miou"] > 0.7, wrong


def shifted(patch: pytest.MonkeyPatch) -> None:
    """Every picture lies beside its object, by its own edge."""
    original = crops.crop_box

    def beside(mask: np.ndarray, scale: float) -> tuple[int, int, int, int]:
        left, top, right, bottom = original(mask, scale)
        edge, width = right - left, mask.shape[1]
        move = edge if right < width else -edge if left > 0 else 0  # what fills the view cannot be missed
        return left + move, top, right + move, bottom

    patch.setattr(crops, "crop_box", beside)


def swapped(patch: pytest.MonkeyPatch) -> None:
    """Every view's ids lie over the picture of another view."""
    original = ask_run._look

    def other(run: Any, instances: InstanceSet, frame: Frame) -> Callable[[], Look]:
        frames = [frame for frame in run.scene.frames if frame.split == "train"]
        place = next(i for i, own in enumerate(frames) if own.file_path == frame.file_path)
        own, others = (original(run, instances, each) for each in (frame, frames[place - len(frames) // 2]))
        return lambda: replace(own(), image=others().image)

    patch.setattr(ask_run, "_look", other)


def of_wild_lengths(embeddings: InstanceEmbeddings) -> InstanceEmbeddings:
    lengths = 10 ** np.random.default_rng(0).uniform(-4, 4, len(embeddings.id))
    return replace(embeddings, vector=embeddings.vector * lengths[:, None])


def in_other_rows(embeddings: InstanceEmbeddings) -> InstanceEmbeddings:
    return replace(embeddings, vector=np.random.default_rng(0).permutation(embeddings.vector))


@pytest.mark.parametrize("broken", [shifted, swapped])
def test_pictures_of_the_wrong_place_give_wrong_answers(
    broken: Callable[[pytest.MonkeyPatch], None],
    run: Path,
    rows: list[dict[str, Any]],
    encoder: PixelEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """All that is left is the fifth of the questions that nothing is the answer to."""
    broken(monkeypatch)
    assert summary(ask_room(own_copy(run, tmp_path), SEED, encoder))["accuracy"] < 0.4


@pytest.mark.parametrize(("broken", "most"), [(of_wild_lengths, 0.8), (in_other_rows, 0.4)])
def test_vectors_that_are_not_those_of_the_objects_give_wrong_answers(
    broken: Callable[[InstanceEmbeddings], InstanceEmbeddings],
    most: float,
    run: Path,
    rows: list[dict[str, Any]],
    encoder: PixelEncoder,
    monkeypatch: pytest.MonkeyPatch,
):
    """A name that one object alone has finds it whatever its length: what is near enough is measured by the best."""
    original = ask_run._embeddings
    monkeypatch.setattr(ask_run, "_embeddings", lambda *values: broken(original(*values)))
    assert summary(ask_room(run, SEED, encoder))["accuracy"] < most
