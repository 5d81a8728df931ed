"""The field decodes what its columns say; an untrained one is its proxy."""

import math

import pytest
import torch
from torch.nn import functional

from s3d_splat.errors import S3DError
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.scaffold.init import anchors_from_proxy
from s3d_splat.scaffold.options import FeatureOwner, ScaffoldOptions
from s3d_splat.scaffold.visibility import anchors_in_view
from s3d_splat.types import Camera, ProxyGeometry


def camera() -> Camera:
    return Camera(torch.eye(4), fx=100.0, fy=100.0, cx=50.0, cy=40.0, width=100, height=80)


def proxy(count: int = 400, **columns) -> ProxyGeometry:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(count, 3, generator=generator) + torch.tensor([-0.5, -0.5, 2.0])
    return ProxyGeometry(points, torch.rand(count, 3, generator=generator), **columns)


def field(options: ScaffoldOptions | None = None, **columns) -> AnchorField:
    options = options or ScaffoldOptions(anchors=50)
    generator = torch.Generator().manual_seed(0)
    anchors, _ = anchors_from_proxy(proxy(**columns), options, generator)
    return AnchorField(anchors, options, images=3, generator=generator)


def test_untrained_children_sit_on_proxy_points_with_their_colours():
    trained = field(ScaffoldOptions(anchors=50, children=2))
    gaussians = trained.decode(camera())
    points, colours = proxy().points, proxy().colours
    distance, nearest = torch.cdist(gaussians.means, points).min(1)
    on_a_point = distance < 1e-5
    assert on_a_point.float().mean() > 0.75  # cells with one point repeat it, moved a little
    torch.testing.assert_close(
        gaussians.colours[on_a_point], colours[nearest[on_a_point]].clamp(0.02, 0.98), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(gaussians.opacities, torch.full_like(gaussians.opacities, 0.6))


def test_at_most_the_wanted_number_of_anchors_and_all_points_within_a_voxel():
    generator = torch.Generator().manual_seed(0)
    anchors, voxel = anchors_from_proxy(proxy(), ScaffoldOptions(anchors=50), generator)
    assert anchors.positions.shape[0] <= 50
    assert torch.cdist(proxy().points, anchors.positions).min(1).values.max() <= voxel * math.sqrt(3)


def test_normals_lay_the_gaussians_flat_on_their_surface():
    normals = torch.tensor([0.6, 0.0, 0.8]).expand(400, 3)
    gaussians = field(normals=normals).decode(camera())
    from s3d_splat.geometry.rotations import rotation_matrices

    thin = rotation_matrices(gaussians.quaternions)[..., 2]
    torch.testing.assert_close(thin.abs(), normals[:1].expand_as(thin).abs(), atol=1e-5, rtol=0)
    assert (gaussians.log_scales[:, 2] < gaussians.log_scales[:, 0]).all()


def test_points_that_stand_alone_and_untrusted_points_start_nothing():
    points = torch.cat([proxy().points, torch.tensor([[50.0, 0.0, 2.0]])])
    colours = torch.cat([proxy().colours, torch.rand(1, 3)])
    confidence = torch.ones(401)
    confidence[:10] = 0.0
    options = ScaffoldOptions(anchors=50)
    anchors, _ = anchors_from_proxy(
        ProxyGeometry(points, colours, confidence=confidence), options, torch.Generator().manual_seed(0)
    )
    assert anchors.positions[:, 0].max() < 1.0


def test_no_anchor_straddles_two_labelled_objects():
    labels = (proxy().points[:, 0] > 0.05).int() + 1
    labelled = ProxyGeometry(proxy().points, proxy().colours, instances=labels)
    options = ScaffoldOptions(anchors=20, children=4)
    anchors, voxel = anchors_from_proxy(labelled, options, torch.Generator().manual_seed(0))
    means = anchors.positions[:, None] + anchors.offsets * voxel
    distance, nearest = torch.cdist(means.reshape(-1, 3), labelled.points).min(1)
    of_child = torch.where(distance < 1e-5, labels[nearest], 0).view(-1, 4)  # repeated children stand beside their point
    for row in of_child.tolist():
        assert len(set(row) - {0}) <= 1


def test_too_few_points_are_refused():
    few = ProxyGeometry(torch.rand(3, 3), torch.rand(3, 3))
    with pytest.raises(S3DError, match="3 usable points"):
        anchors_from_proxy(few, ScaffoldOptions(), torch.Generator())


def test_children_share_their_anchors_normalised_feature():
    trained = field()
    features = trained.decode(camera()).features
    assert features is not None
    by_anchor = features.view(trained.anchor_count, 5, 6)
    torch.testing.assert_close(by_anchor[:, 3], functional.normalize(trained.feature, dim=-1))


def test_every_gaussian_can_have_a_feature_of_its_own():
    trained = field(ScaffoldOptions(anchors=50, children=3, features=4, feature_per="gaussian"))
    assert trained.feature.shape == (trained.anchor_count, 3, 4)
    visible = torch.tensor([4, 0])
    features = trained.decode(camera(), visible).features
    torch.testing.assert_close(features, functional.normalize(trained.feature[visible], dim=-1).view(6, 4))
    assert trained.decode(camera(), visible[:0]).features.shape == (0, 4)


@pytest.mark.parametrize("owner", ["anchor", "gaussian"])
def test_a_subset_decodes_to_the_same_rows(owner: FeatureOwner):
    trained = field(ScaffoldOptions(anchors=50, feature_per=owner))
    visible = torch.tensor([4, 0, 7])
    whole, part = trained.decode(camera()), trained.decode(camera(), visible)
    rows = (visible[:, None] * 5 + torch.arange(5)).reshape(-1)
    torch.testing.assert_close(part.means, whole.means[rows])
    torch.testing.assert_close(part.colours, whole.colours[rows])
    torch.testing.assert_close(part.features, whole.features[rows])


def moved() -> Camera:
    pose = torch.eye(4)
    pose[0, 3] = 3.0
    return Camera(pose, fx=100.0, fy=100.0, cx=50.0, cy=40.0, width=100, height=80)


@pytest.mark.parametrize("view_dependent", [False, True])
def test_only_the_switch_makes_opacity_depend_on_the_view(view_dependent: bool):
    trained = field(ScaffoldOptions(anchors=50, view_dependent_opacity=view_dependent))
    with torch.no_grad():
        for head in (trained.heads.opacity, trained.heads.colour):
            head[2].weight.normal_(generator=torch.Generator().manual_seed(3))
    here, there = trained.decode(camera()), trained.decode(moved())
    assert torch.equal(here.opacities, there.opacities) is not view_dependent
    assert not torch.equal(here.colours, there.colours)
    assert torch.equal(here.log_scales, there.log_scales)


def test_appearance_code_of_an_image_and_the_mean_code():
    trained = field(ScaffoldOptions(anchors=50, appearance=4))
    with torch.no_grad():
        trained.heads.colour[2].weight.normal_(generator=torch.Generator().manual_seed(3))
        trained.appearance.copy_(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0], [0.0, 0, 0, 0]]))
    # The codes' mean is zero, which is the code of the third image.
    torch.testing.assert_close(trained.decode(camera()).colours, trained.decode(camera(), image=2).colours)
    assert not torch.equal(trained.decode(camera()).colours, trained.decode(camera(), image=0).colours)


def test_no_visible_anchor_reaches_outside_and_no_reaching_anchor_is_dropped():
    trained = field()
    with torch.no_grad():
        trained.positions[:, 0] += torch.linspace(-4, 4, trained.anchor_count)
        trained.positions[::7, 2] -= 6.0
    visible = set(anchors_in_view(trained, camera()).tolist())
    gaussians = trained.decode(camera())
    u = gaussians.means[:, 0] / gaussians.means[:, 2] * 100 + 50
    v = gaussians.means[:, 1] / gaussians.means[:, 2] * 100 + 40
    inside = (gaussians.means[:, 2] > 0.01) & (u >= 0) & (u < 100) & (v >= 0) & (v < 80)
    assert set((inside.nonzero()[:, 0] // 5).tolist()) <= visible
    behind = (gaussians.means[:, 2] < -1.0).view(-1, 5).all(1).nonzero()[:, 0].tolist()
    assert behind
    assert not visible & set(behind)


@pytest.mark.parametrize("owner", ["anchor", "gaussian"])
def test_a_state_of_another_size_is_taken_over(owner: FeatureOwner):
    small = field(ScaffoldOptions(anchors=20, feature_per=owner))
    large = field(ScaffoldOptions(anchors=50, feature_per=owner))
    small.load_resized(large.state_dict())
    torch.testing.assert_close(small.decode(camera()).features, large.decode(camera()).features)
    torch.testing.assert_close(small.decode(camera()).means, large.decode(camera()).means)
