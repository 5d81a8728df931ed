"""What every mask prior promises, on each that works here."""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_id_png
from s3d_splat.priors.geometry.given import GivenGeometry
from s3d_splat.priors.masks.base import MaskPrior
from s3d_splat.priors.masks.options import MaskOptions
from s3d_splat.priors.masks.registry import MASK_PRIORS, make_mask_prior
from s3d_splat.types import PosedCluster
from tests.priors.masks.tiny import eomt_options, mask2former_options, sam2_options, sam3_options
from tests.priors.relief import relief_capture

NO_SKIMAGE = pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is not installed")
NO_TRANSFORMERS = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
# Learned ones run with random weights.
TINY = {"sam2": sam2_options, "sam3": sam3_options, "mask2former": mask2former_options, "eomt": eomt_options}
MARKS = {"given": [], "felzenszwalb": [NO_SKIMAGE]} | {name: [NO_TRANSFORMERS] for name in TINY}


@dataclass(frozen=True)
class Case:
    prior: MaskPrior
    posed: PosedCluster
    work: Path
    masked: PosedCluster
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS[name], id=name) for name in MASK_PRIORS])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    capture = relief_capture(tmp_path_factory.mktemp("capture"))
    chosen = {name: make() for name, make in TINY.items() if name == request.param}
    prior = make_mask_prior(MaskOptions(request.param, **chosen), capture)
    work, progress = tmp_path_factory.mktemp("work"), []
    posed = GivenGeometry().pose(capture.clusters[0], work, load_observation)
    masked = prior.segment(posed, work, load_observation, write_id_png, lambda done, total: progress.append((done, total)))
    return Case(prior, posed, work, masked, progress)


def test_the_table_holds_priors_under_their_names(case: Case) -> None:
    assert isinstance(case.prior, MaskPrior)
    assert MASK_PRIORS[case.prior.name](MaskOptions()).name == case.prior.name
    assert case.prior.title.startswith(case.prior.name)


def test_only_masks_change(case: Case) -> None:
    for before, after in zip(case.posed.frames, case.masked.frames, strict=True):
        assert replace(after, instance_path=before.instance_path) == before
    assert (case.masked.points, case.masked.sparse) == (case.posed.points, case.posed.sparse)


def test_every_id_of_a_mask_is_in_the_table(case: Case) -> None:
    listed = [row.id for row in case.masked.instances]
    assert len(set(listed)) == len(listed)
    found: set[int] = set()
    for frame in case.masked.frames:
        masks = load_observation(frame).instances
        assert masks is not None
        assert masks.shape == (frame.camera.height, frame.camera.width)
        found |= set(masks.unique().tolist()) - {0}
    assert found == set(listed)
    assert min(listed) >= 1


def test_progress_ends_at_the_number_of_frames(case: Case) -> None:
    count = len(case.posed.frames)
    assert case.progress in ([], [(done, count) for done in range(1, count + 1)])


def test_another_call_says_the_same(case: Case, tmp_path: Path) -> None:
    again = case.prior.segment(case.posed, tmp_path, load_observation, write_id_png)
    assert again.instances == case.masked.instances
    for one, other in zip(case.masked.frames, again.frames, strict=True):
        assert torch.equal(load_observation(one).instances, load_observation(other).instances)
