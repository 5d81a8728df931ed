"""Features on frozen looks: what was trained without features stays as it is, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.scene import load_scene
from s3d_splat.raster.options import Backend, RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.options import FeatureOwner, ScaffoldOptions
from s3d_splat.training.options import PROGRESSIVE, Stage, TrainingOptions
from s3d_splat.training.session import TrainingSession, open_session
from s3d_splat.training.stages import check_options
from tests.scene_fixtures import write_tiny_scene

FROZEN = TrainingOptions(steps=20, freeze_appearance=True)


def session_of(
    folder: Path, options: TrainingOptions = FROZEN, owner: FeatureOwner = "anchor", backend: Backend = "auto"
) -> TrainingSession:
    scene = load_scene(write_tiny_scene(folder / "scene"))
    scaffold = ScaffoldOptions(anchors=100, feature_per=owner)
    return open_session(scene, scaffold, options, make_rasterizer(RasterOptions(backend)))


def parameters(session: TrainingSession) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in session.field.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("owner", ["anchor", "gaussian"])
def test_only_features_change_once_features_are_learnt(tmp_path: Path, owner: FeatureOwner):
    session = session_of(tmp_path, owner=owner)
    for _ in range(8):  # the first stage: two fifths of the steps
        assert session.step().stage == "appearance"
    before = parameters(session)
    for _ in range(12):
        session.step()
    assert changed(before, parameters(session)) == {"feature"}


def test_without_the_option_looks_go_on_learning(tmp_path: Path):
    session = session_of(tmp_path, replace(FROZEN, freeze_appearance=False))
    for _ in range(8):
        session.step()
    before = parameters(session)
    session.step()
    assert {"embedding", "offsets", "colour_logits", "feature"} <= changed(before, parameters(session))


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_a_view_without_masks_teaches_nothing(tmp_path: Path, backend: Backend):
    session = session_of(tmp_path, backend=backend)
    for _ in range(9):
        session.step()
    session.views = tuple(replace(view, masks=None) for view in session.views)
    before = parameters(session)
    session.step()
    assert changed(before, parameters(session)) == set()


def test_growth_on_frozen_looks_is_refused():
    stages = (*PROGRESSIVE[:1], Stage("more", 0.5, features=True, growth=True))
    with pytest.raises(S3DError, match="'more' adds anchors while the looks are frozen"):
        check_options(ScaffoldOptions(), replace(FROZEN, stages=stages))
    check_options(ScaffoldOptions(), replace(FROZEN, stages=stages, freeze_appearance=False))
