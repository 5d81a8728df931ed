"""SAM 2 with random weights: ids over frames and chunks, calls that were cut off, memory, and weights that are not there."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

pytest.importorskip("transformers")

from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_id_png
from s3d_splat.priors import weights
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.masks.options import TrackOptions
from s3d_splat.priors.masks.sam2 import Sam2Masks
from s3d_splat.priors.masks.tracking.models import segment_anything
from s3d_splat.priors.masks.tracking.proposals import propose
from s3d_splat.priors.masks.tracking.tracker import Tracker, masks_of, painted
from s3d_splat.types import PosedCluster
from tests.priors.masks.tiny import ANY, SHORT, SIDE, sam2_folder, sam2_options
from tests.priors.relief import relief_capture


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory) -> PosedCluster:
    """Seven frames: chunks of four and three."""
    capture = relief_capture(tmp_path_factory.mktemp("capture"))
    return GivenGeometry().pose(capture.clusters[0], tmp_path_factory.mktemp("work"), load_observation)


def segment(posed: PosedCluster, work: Path, save: Callable[..., None] = write_id_png, **changes: object) -> PosedCluster:
    return Sam2Masks(sam2_options(**changes)).segment(posed, work, load_observation, save)


def ids_in(cluster: PosedCluster) -> list[set[int]]:
    seen = [load_observation(frame).instances for frame in cluster.frames]
    return [set(ids.unique().tolist()) - {0} for ids in seen if ids is not None]


def test_ids_go_on_over_frames_and_chunks(posed: PosedCluster, tmp_path: Path):
    masked = segment(posed, tmp_path)
    found = ids_in(masked)
    assert len(found) == 7
    assert found[0]
    assert found[0] & found[3] & found[4]  # the second chunk begins with the fourth frame's objects
    assert len(masked.instances) <= 2 * SHORT.objects
    assert {row.class_name for row in masked.instances} == {"segment"}


def test_a_call_that_was_cut_off_goes_on(posed: PosedCluster, tmp_path: Path):
    whole = segment(posed, tmp_path / "whole")
    written: list[str] = []

    def stops(path: Path, ids: Tensor) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path.name)
        write_id_png(path, ids)

    (tmp_path / "work").mkdir()
    with pytest.raises(KeyboardInterrupt):
        segment(posed, tmp_path / "work", stops)
    assert written == ["00.png.png", "01.png.png", "02.png.png", "03.png.png", "04.png.png"]
    again: list[str] = []

    def notes(path: Path, ids: Tensor) -> None:
        again.append(path.name)
        write_id_png(path, ids)

    masked = segment(posed, tmp_path / "work", notes)
    assert again == ["04.png.png", "05.png.png", "06.png.png"]
    assert masked.instances == whole.instances
    for one, other in zip(masked.frames, whole.frames, strict=True):
        assert torch.equal(load_observation(one).instances, load_observation(other).instances)


def test_other_options_begin_anew_and_damaged_records_are_done_again(posed: PosedCluster, tmp_path: Path):
    first = segment(posed, tmp_path)
    record = tmp_path / "chunk-000000.json"
    kept = json.loads(record.read_text())
    record.write_text("{")
    assert segment(posed, tmp_path).instances == first.instances
    assert json.loads(record.read_text()) == kept
    segment(posed, tmp_path, track=replace(SHORT, objects=2))
    assert json.loads(record.read_text())["made_from"] != kept["made_from"]


def test_the_model_goes_with_the_call_and_is_not_made_for_finished_work(
    posed: PosedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loaded: list[weakref.ref[object]] = []

    def noting(kind: object, folder: Path, flag: str) -> object:
        made = weights.load_pretrained(kind, folder, flag)
        loaded.append(weakref.ref(made))
        return made

    monkeypatch.setattr("s3d_splat.priors.masks.sam2.load_pretrained", noting)
    prior = Sam2Masks(sam2_options())
    prior.segment(posed, tmp_path, load_observation, write_id_png)
    gc.collect()
    assert len(loaded) == 2
    assert all(part() is None for part in loaded)
    prior.segment(posed, tmp_path, load_observation, write_id_png)
    assert len(loaded) == 2


def test_a_tracker_holds_the_last_frames_only():
    from transformers import Sam2VideoModel, Sam2VideoProcessor

    model = weights.load_pretrained(Sam2VideoModel, sam2_folder(), "--sam2")
    processor = weights.load_pretrained(Sam2VideoProcessor, sam2_folder(), "--sam2")
    tracker = Tracker(model, processor)
    generator = torch.Generator().manual_seed(0)
    held = []
    for step in range(16):
        tracker.see(torch.rand(1, 3, SIDE, SIDE, generator=generator))
        if step == 1:
            tracker.add([4, 9], torch.rand(2, 20, 30, generator=generator) > 0.5)
        held.append(bytes_in(tracker._session.output_dict_per_obj) + bytes_in(tracker._session.processed_frames or {}))
    assert tracker.ids == [4, 9]
    assert tracker.logits.shape == (2, SIDE // 4, SIDE // 4)
    assert held[8] > held[1]  # memories fill up ...
    assert held[9:] == [held[8]] * 7  # ... and then one goes for each that comes


def bytes_in(value: object) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return sum(map(bytes_in, value.values())) if isinstance(value, dict) else 0


def test_the_model_for_single_pictures_is_the_library_s_own():
    from transformers import Sam2Config, Sam2Model, Sam2VideoModel

    video = weights.load_pretrained(Sam2VideoModel, sam2_folder(), "--sam2")
    shared = segment_anything(Sam2Model, Sam2Config, video, None).image
    alone = weights.load_pretrained(Sam2Model, sam2_folder(), "--sam2")
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    one, other = (propose(model, pixels, ANY) for model in (shared, alone))
    assert len(one.logits) == 3 * 3 * 3  # points, and masks for each
    assert torch.equal(one.logits, other.logits)
    assert torch.equal(one.score, other.score)


def test_objects_stay_below_their_number(posed: PosedCluster, tmp_path: Path):
    masked = segment(posed, tmp_path, track=TrackOptions(chunk=100, objects=2, every=1))
    assert all(len(ids) <= 2 for ids in ids_in(masked))


def test_pixels_that_do_not_count_have_no_object(posed: PosedCluster, tmp_path: Path):
    frame = posed.frames[0]
    mask = torch.ones(frame.camera.height, frame.camera.width, dtype=torch.uint8)
    mask[:90] = 0
    write_image(tmp_path / "mask.png", mask.numpy())
    frames = tuple(replace(frame, mask_path=tmp_path / "mask.png") for frame in posed.frames)
    masked = segment(replace(posed, frames=frames), tmp_path)
    stored = load_observation(replace(masked.frames[0], mask_path=None)).instances
    assert stored is not None
    assert not stored[:90].any()
    assert stored[90:].any()


def test_each_pixel_takes_the_surest_mask():
    logits = torch.tensor([[[2.0, -1.0]], [[1.0, -1.0]], [[3.0, 0.5]]])
    assert painted(logits, [5, 6, 7], 1, 2).tolist() == [[7, 7]]
    assert painted(logits[:2], [5, 6], 1, 2).tolist() == [[5, 0]]
    assert painted(logits[:0], [], 1, 2).tolist() == [[0, 0]]
    assert masks_of(torch.tensor([[5, 0], [6, 5]]), [5, 6]).tolist() == [
        [[True, False], [False, True]],
        [[False, False], [True, False]],
    ]
