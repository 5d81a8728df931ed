"""Masked pixels teach nothing: neither loss nor gradient knows what they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.io.images import write_image
from s3d_splat.io.scene import load_scene
from s3d_splat.native import library
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.training import ssim as module
from s3d_splat.training.losses import image_loss
from s3d_splat.training.options import TrainingOptions
from s3d_splat.training.session import TrainingSession, open_session
from tests.io.test_scene_refusals import in_transforms
from tests.scene_fixtures import HEIGHT, WIDTH, write_tiny_scene

MASK = torch.arange(WIDTH).expand(HEIGHT, WIDTH) >= 20  # the left twenty columns are ignored


@pytest.fixture(params=["kernel", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "torch":
        monkeypatch.setattr(module, "runs_native", lambda _: False)
    elif library.kernels() is None:
        pytest.skip("the kernels are not compiled")


def images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image, target = torch.rand(2, HEIGHT, WIDTH, 3, generator=generator, dtype=torch.float64)
    return image, target


def graded(image: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None) -> tuple[float, torch.Tensor]:
    image = image.clone().requires_grad_()
    loss = image_loss(image, target, 0.2, mask)
    loss.backward()
    assert image.grad is not None
    return float(loss.detach()), image.grad


@pytest.mark.usefixtures("way")
def test_the_colours_of_masked_pixels_change_neither_loss_nor_gradient():
    (image, target), (others, strange) = images(), images(1)
    loss, gradient = graded(image, target, MASK)
    for one, other in ((image, strange), (others, target), (others, strange)):
        changed = [torch.where(MASK[..., None], kept, new) for kept, new in ((image, one), (target, other))]
        assert graded(*changed, MASK)[0] == loss
        assert torch.equal(graded(*changed, MASK)[1], gradient)
    assert not gradient[:, :20].any()
    assert gradient[:, 20:].abs().min() > 0


@pytest.mark.usefixtures("way")
def test_the_loss_is_a_mean_over_the_pixels_that_count():
    target = torch.full((HEIGHT, WIDTH, 3), 0.5, dtype=torch.float64)
    image = torch.where(MASK[..., None], target + 0.25, target * 0)
    assert float(image_loss(image, target, 0.0, MASK)) == pytest.approx(0.25)
    assert float(image_loss(image, image, 0.2, MASK)) == pytest.approx(0.0, abs=1e-12)
    everything, nothing = torch.ones_like(MASK), torch.zeros_like(MASK)
    image, target = images()
    assert float(image_loss(image, target, 0.2, everything)) == pytest.approx(float(image_loss(image, target, 0.2)))
    assert float(image_loss(image, target, 0.2, nothing)) == pytest.approx(0.0, abs=1e-12)


def session(folder: Path) -> TrainingSession:
    scaffold = ScaffoldOptions(anchors=60)
    return open_session(load_scene(folder), scaffold, TrainingOptions(steps=6), make_rasterizer(RasterOptions("cpu")))


def test_a_step_does_not_see_what_is_masked(tmp_path: Path):
    """The colours of ignored pixels are replaced: the reports and the field after all stages are the same."""
    ended = []
    for spoil in (False, True):
        training = session(write_tiny_scene(tmp_path / str(spoil)))
        views = []
        for view in training.views:
            assert view.depth is not None
            assert view.masks is not None
            image = torch.where(MASK[..., None], view.image, 255 - view.image) if spoil else view.image
            views.append(replace(view, image=image, depth=view.depth * MASK, masks=view.masks * MASK, mask=MASK))
        training.views = tuple(views)
        reports = [training.step() for _ in range(6)]
        ended.append((reports, training.field.state_dict()))
    (first, field), (second, other) = ended
    assert first == second
    assert all(torch.equal(field[name], other[name]) for name in field)
    assert {"image", "depth", "pull", "push"} <= set(first[-1].losses)


def test_masks_of_a_scene_reach_the_training(tmp_path: Path):
    folder = write_tiny_scene(tmp_path / "scene")
    write_image(folder / "masks/a.png", (MASK.numpy() * 255).astype("uint8"))
    in_transforms(lambda meta: meta["frames"][1].update(mask_path="masks/a.png"))(folder)
    first, second, *_ = session(folder).views
    assert first.mask is None
    assert second.mask is not None
    assert torch.equal(second.mask, MASK)
    assert second.depth is not None
    assert not second.depth[:, :20].any()
