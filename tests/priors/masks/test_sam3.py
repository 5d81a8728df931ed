"""SAM 3 with random weights: classes by prompts, chunks that go on, memory, and a model for single pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers")

from s3d_splat.errors import S3DError
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_id_png
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.masks.sam3 import Sam3Masks
from s3d_splat.priors.masks.tracking.prompted import PromptedFollower, classes_of, same
from s3d_splat.priors.weights import load_pretrained
from s3d_splat.types import ClassInfo, PosedCluster
from tests.priors.masks.test_sam2 import bytes_in, ids_in
from tests.priors.masks.tiny import SHORT, sam3_folder, sam3_options
from tests.priors.relief import relief_capture


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory) -> PosedCluster:
    capture = relief_capture(tmp_path_factory.mktemp("capture"))
    return GivenGeometry().pose(capture.clusters[0], tmp_path_factory.mktemp("work"), load_observation)


def test_prompts_are_classes(posed: PosedCluster, tmp_path: Path):
    prior = Sam3Masks(sam3_options("chair", "wall"))
    assert prior.title == "sam3 (facebook/sam3: chair, wall)"
    masked = prior.segment(posed, tmp_path, load_observation, write_id_png)
    kinds = {(row.class_id, row.class_name, row.is_thing) for row in masked.instances}
    assert kinds
    assert kinds <= {(1, "chair", True), (2, "wall", False)}
    found = ids_in(masked)
    assert found[1] & found[3]
    assert found[4] & found[6]
    stopped = tmp_path / "chunk-000004.json"
    stopped.unlink()
    again = prior.segment(posed, tmp_path, load_observation, write_id_png)
    assert again.instances == masked.instances
    assert ids_in(again) == found


def test_the_same_prompt_twice_is_one_class():
    assert classes_of(["floor", "lamp", "floor"]) == {
        "floor": ClassInfo(1, "floor", False),
        "lamp": ClassInfo(2, "lamp", True),
    }


def test_an_empty_prompt_is_refused_before_weights_are_sought(tmp_path: Path):
    with pytest.raises(S3DError, match=r"--sam3\.prompts is empty"):
        Sam3Masks(sam3_options("chair", " ", weights=tmp_path)).check(relief_capture(tmp_path))


def test_an_object_of_the_chunk_before_keeps_its_id():
    labels = torch.tensor([[1, 1, 1, 2], [3, 3, 0, 0]])
    assert same(labels, torch.tensor([[7, 7, 0, 9], [8, 0, 8, 8]])) == {1: 7, 2: 9}  # IoU 2/3, 1, and 1/4 for 3 and 8
    assert same(labels, torch.zeros_like(labels)) == {}


def test_a_session_holds_the_last_frames_only(monkeypatch: pytest.MonkeyPatch):
    from transformers import Sam3VideoModel, Sam3VideoProcessor

    model = load_pretrained(Sam3VideoModel, sam3_folder(), "--sam3")
    processor = load_pretrained(Sam3VideoProcessor, sam3_folder(), "--sam3")
    sessions = []
    start = processor.init_video_session
    monkeypatch.setattr(processor, "init_video_session", lambda **given: sessions.append(start(**given)) or sessions[-1])
    follower = PromptedFollower(model, processor, ["lamp"], SHORT)
    image = torch.randint(0, 255, (30, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    held = []
    for labels in follower.follow([image] * 14, None, 1):
        assert labels.shape == (30, 40)
        outputs = sessions[0].output_dict_per_obj
        held.append(bytes_in(sessions[0].processed_frames) + max(map(bytes_in, outputs.values())))
    assert len(held) == 14
    assert len(set(held[7:])) == 1
