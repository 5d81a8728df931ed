"""Panoptic views: votes, void, classes."""

import pytest
import torch

from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.types import Camera, Gaussians, InstanceSet

CAMERA = Camera(torch.eye(4), fx=8.0, fy=8.0, cx=4.0, cy=4.0, width=8, height=8)


@pytest.fixture(scope="module")
def rasterizer() -> Rasterizer:
    return make_rasterizer(RasterOptions())


def sheets(*opacities: float) -> Gaussians:
    """Wide Gaussians one behind the other, of the given opacities at the image centre, the nearest first."""
    count = len(opacities)
    means = torch.zeros(count, 3)
    means[:, 2] = 1.0 + torch.arange(count)
    return Gaussians(
        means=means,
        log_scales=torch.full((count, 3), 5.0),
        quaternions=torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(count, 4),
        opacities=torch.tensor(opacities),
        colours=torch.zeros(count, 3),
    )


def table(*classes: int) -> InstanceSet:
    count = len(classes)
    return InstanceSet(
        anchor_instance=torch.zeros(0, dtype=torch.int32),
        child_instance=torch.zeros(0, 1, dtype=torch.int32),
        instance_id=torch.arange(1, count + 1, dtype=torch.int32),
        class_id=torch.tensor(classes, dtype=torch.int32),
        is_thing=torch.ones(count, dtype=torch.int32),
        score=torch.ones(count),
        size=torch.ones(count, dtype=torch.int32),
        aabb=torch.zeros(count, 2, 3),
    )


def centre(gaussians: Gaussians, ids: list[int], rasterizer: Rasterizer, min_alpha: float = 0.5) -> tuple[int, int, float]:
    labels = torch.tensor(ids, dtype=torch.int32)
    image = render_panoptic(gaussians, labels, table(11, 12), rasterizer, CAMERA, min_alpha)
    return int(image.instances[4, 4]), int(image.semantics[4, 4]), float(image.confidence[4, 4])


def test_the_sum_of_weights_decides_and_not_the_heaviest_gaussian(rasterizer: Rasterizer) -> None:
    """Weights .4 (instance 1), then .6 * .5 = .3 and .3 * .7 = .21 (both instance 2): .51 of .91."""
    assert centre(sheets(0.4, 0.5, 0.7), [1, 2, 2], rasterizer) == (2, 12, pytest.approx(0.51 / 0.91, abs=1e-3))


def test_a_thin_view_is_void(rasterizer: Rasterizer) -> None:
    assert centre(sheets(0.3, 0.2), [1, 1], rasterizer) == (0, 0, 0.0)
    assert centre(sheets(0.3, 0.2), [1, 1], rasterizer, min_alpha=0.4)[:2] == (1, 11)


def test_an_unlabelled_surface_is_void_though_an_object_shimmers_through(rasterizer: Rasterizer) -> None:
    assert centre(sheets(0.6, 0.9), [0, 2], rasterizer) == (0, 0, 0.0)
    assert centre(sheets(0.3, 0.9), [0, 2], rasterizer)[:2] == (2, 12)


def test_an_instance_that_the_table_lacks_has_no_class(rasterizer: Rasterizer) -> None:
    assert centre(sheets(0.9), [7], rasterizer)[:2] == (7, 0)


def test_no_gaussian_is_void(rasterizer: Rasterizer) -> None:
    image = render_panoptic(sheets(), torch.zeros(0, dtype=torch.int32), table(), rasterizer, CAMERA)
    assert image.instances.shape == (8, 8)
    assert int(image.instances.max()) == int(image.semantics.max()) == 0
