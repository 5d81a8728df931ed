"""Palette, panoptic pictures and features as colours."""

import pytest
import torch

from s3d_splat.panoptic.features import feature_basis, feature_picture
from s3d_splat.panoptic.palette import colourise, instance_colours, panoptic_picture
from s3d_splat.types import PanopticImage


def test_a_colour_depends_on_the_id_alone() -> None:
    ids = torch.arange(500)
    assert torch.equal(instance_colours(ids)[[3, 77]], instance_colours(torch.tensor([3, 77])))
    assert torch.equal(instance_colours(ids.int()), instance_colours(ids))


def test_ids_that_follow_each_other_have_colours_far_apart() -> None:
    colours = instance_colours(torch.arange(1, 400)).float()
    for step in (1, 2, 3):
        assert float((colours[step:] - colours[:-step]).norm(dim=1).min()) > 40


def test_the_first_hundred_colours_are_all_different_and_no_object_looks_like_none() -> None:
    colours = instance_colours(torch.arange(0, 101)).float()
    distance = torch.cdist(colours, colours) + 1e3 * torch.eye(101)
    assert float(distance.min()) > 8
    assert float(distance[0].min()) > 60


def test_an_image_is_coloured_by_id() -> None:
    image = colourise(torch.tensor([[0, 900], [5, 0]], dtype=torch.int32))
    assert torch.equal(image.reshape(4, 3), instance_colours(torch.tensor([0, 900, 5, 0])))


def test_borders_are_drawn_and_void_is_darker_than_objects() -> None:
    instances = torch.zeros(6, 9, dtype=torch.int32)
    instances[:, 3:6], instances[:, 6:] = 1, 2
    picture = panoptic_picture(PanopticImage(instances, instances, torch.ones(6, 9)), torch.full((6, 9, 3), 0.5))
    brightness = picture.mean(dim=(0, 2))
    assert float(brightness[[2, 5]].max()) < 0.5 * float(brightness[[4, 7]].min())
    assert float(brightness[:2].max()) < float(brightness[[4, 7]].min())
    assert float(picture.min()) >= 0
    assert float(picture.max()) <= 1


def test_features_along_three_axes_become_red_green_and_blue() -> None:
    features = torch.zeros(900, 6)
    features[:500, 0], features[500:800, 3], features[800:, 5] = 2.0, 5.0, 1.0
    basis = feature_basis(features)
    view = torch.zeros(1, 4, 6)
    view[0, 0, 0], view[0, 1, 3], view[0, 2, 5] = 0.1, 0.1, 0.1
    picture = feature_picture(view, basis)
    assert picture.shape == (1, 4, 3)
    assert picture[0, 3].tolist() == [0, 0, 0]  # nothing rendered
    assert float(torch.cdist(picture[0, :3], picture[0, :3]).add(torch.eye(3)).min()) > 0.5


def test_the_length_of_a_feature_does_not_matter() -> None:
    features = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
    basis = feature_basis(features)
    torch.testing.assert_close(basis.mean, feature_basis(3 * features).mean)
    view = features[:12].reshape(3, 4, 6)
    torch.testing.assert_close(feature_picture(view, basis), feature_picture(7 * view, basis))


def test_too_few_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 features of 3 channels, got \(9, 2\)"):
        feature_basis(torch.ones(9, 2))
