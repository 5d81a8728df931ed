"""Questions to a trained run in nerfstudio's viewer: the output `relevancy`, and what the panel says."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
import viser
from nerfstudio.utils.eval_utils import eval_setup
from nerfstudio.viewer.utils import parse_object
from nerfstudio.viewer.viewer_elements import ViewerElement

from nerfstudio_plugin.cameras import to_nerfstudio
from nerfstudio_plugin.pipeline import SplatPipeline
from nerfstudio_plugin.question_panel import QuestionPanel
from s3d_splat.ask import run as ask_run
from s3d_splat.errors import S3DError
from s3d_splat.priors.text.base import Picture
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.search import Answer, Hit
from tests.scene_fixtures import tiny_camera

pytestmark = pytest.mark.filterwarnings("ignore")


class Chairs:
    """An encoder to which every picture shows a chair."""

    dimension = 2

    def __init__(self, name: str = "chairs") -> None:
        self.name = name

    def encode_pictures(self, pictures: Sequence[Picture]) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0]]).expand(len(pictures), 2)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0] if "chair" in text else [0.0, 1.0] for text in texts])


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> list[TextOptions]:
    """The options of every encoder that was loaded."""
    loaded: list[TextOptions] = []

    def make(options: TextOptions) -> Chairs:
        loaded.append(options)
        return Chairs()

    monkeypatch.setattr(ask_run, "make_text_encoder", make)
    return loaded


@pytest.fixture
def opened(trained: Path, tmp_path: Path, encoders: list[TextOptions]) -> SplatPipeline:
    """What ns-viewer loads, for a copy of the run in which a question may leave its vectors."""
    pipeline = eval_setup(trained / "config.yml")[1]
    assert isinstance(pipeline, SplatPipeline)
    pipeline.config = replace(pipeline.config, run_folder=shutil.copytree(trained, tmp_path / "run"))
    return pipeline


def outputs_of(pipeline: SplatPipeline) -> dict[str, torch.Tensor]:
    return pipeline.splats.get_outputs_for_camera(to_nerfstudio([tiny_camera(3)]))


def shown(panel: QuestionPanel, text: str) -> str:
    """What the panel says after `text` was typed and the button pressed."""
    server = MagicMock(spec=viser.ViserServer, gui=MagicMock())
    panel.install(server)
    panel.question.value = text
    pressed = panel.gui_handle.on_click.call_args.args[0]
    pressed(None)
    assert panel.gui_handle.disabled is False
    return panel.message.content


def test_relevancy_is_the_score_of_the_object_that_is_rendered(opened: SplatPipeline, encoders: list[TextOptions]):
    answer = opened.ask("a chair")
    assert answer.hits
    outputs = outputs_of(opened)
    expected = torch.zeros_like(outputs["relevancy"])
    for hit in answer.hits:
        expected[outputs["instance_ids"] == hit.id] = hit.score
    assert expected.any()
    assert outputs["relevancy"].shape == (24, 32, 1)
    assert torch.equal(outputs["relevancy"], expected)
    assert encoders == [opened.config.encoder]


def test_the_encoder_is_loaded_with_the_first_question_and_once(opened: SplatPipeline, encoders: list[TextOptions]):
    outputs_of(opened)
    with pytest.raises(S3DError):
        opened.ask("the chair next to")
    assert len(encoders) == 0
    opened.ask("a chair")
    opened.ask("a chair")
    assert len(encoders) == 1


def test_what_is_not_found_or_understood_leaves_no_relevancy(opened: SplatPipeline):
    for text, said in (("a piano", "No hit: nothing here is near enough to 'piano'"), ("", "fix:")):
        opened.ask("a chair")
        assert outputs_of(opened)["relevancy"].any()
        assert said in shown(opened.question_panel, text)
        assert not outputs_of(opened)["relevancy"].any()


def test_before_the_objects_are_found_the_panel_says_so(
    opened: SplatPipeline, encoders: list[TextOptions], caplog: pytest.LogCaptureFixture
):
    opened.splats.instances = None
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        told = shown(opened.question_panel, "a chair")
    assert "no objects were found yet" in told
    assert "let the training end" in told
    assert "no objects were found yet" in caplog.text
    assert not outputs_of(opened)["relevancy"].any()
    assert not encoders


def test_missing_weights_are_told_and_can_be_mended(
    opened: SplatPipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def none(options: TextOptions) -> Chairs:
        raise S3DError("the weights are not here", why="an encoder needs them", fix="fetch <url>")

    with monkeypatch.context() as patched:
        patched.setattr(ask_run, "make_text_encoder", none)
        told = shown(opened.question_panel, "a chair")
    assert told.splitlines() == ["the weights are not here  ", "  why: an encoder needs them  ", "  fix: fetch \\<url\\>"]
    assert "the weights are not here" in caplog.text
    assert "Instances:" in shown(opened.question_panel, "a chair")


def test_vectors_of_another_encoder_are_told_and_the_encoder_is_kept(opened: SplatPipeline, monkeypatch: pytest.MonkeyPatch):
    folder = opened.config.run_folder
    assert folder is not None
    opened.ask("a chair")
    made: list[TextOptions] = []
    monkeypatch.setattr(ask_run, "make_text_encoder", lambda options: made.append(options) or Chairs("others"))
    opened._search = ask_run.LateSearch(opened.config.encoder, opened.config.pictures)
    for _ in range(2):
        assert "made with the encoder chairs, not with others" in shown(opened.question_panel, "a chair")
    assert len(made) == 1


def test_other_objects_than_are_shown_are_refused(opened: SplatPipeline):
    instances = opened.splats.instances
    assert instances is not None
    opened.splats.instances = replace(instances, child_instance=instances.child_instance * 0)
    with pytest.raises(S3DError, match="has other objects than are shown"):
        opened.ask("a chair")


def test_the_panel_names_the_best_hits():
    hits = tuple(Hit(id, 1 / id, 0.3, 1.0, {}) for id in (2, 3, 4, 5, 6))
    told = shown(QuestionPanel(lambda _: Answer("{chair}", hits, "")), "a chair")
    lines = ["Understood as: \\{chair\\}  ", "Instances: 2 (0.50), 3 (0.33), 4 (0.25) and 2 more  "]
    assert told.splitlines() == [*lines, "The output type relevancy shows the answer."]


def test_a_defect_leaves_the_panel_usable():
    panel = QuestionPanel(MagicMock(side_effect=RuntimeError("broken")))
    with pytest.raises(RuntimeError):
        shown(panel, "a chair")
    assert panel.gui_handle.disabled is False
    assert "terminal" in panel.message.content


def test_nerfstudios_viewer_finds_the_panel(opened: SplatPipeline):
    found = parse_object(opened, ViewerElement, "Custom Elements")
    assert found == [("Custom Elements/question_panel", opened.question_panel)]
