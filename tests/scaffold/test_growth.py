"""Growth and pruning, and the one place that resizes field and optimiser."""

import torch

from s3d_splat.scaffold.field import TRAINED_COLUMNS, AnchorField, AnchorTable
from s3d_splat.scaffold.growth import GrowthStatistics, new_anchors, resize, rows_to_keep
from s3d_splat.scaffold.options import FeatureOwner, GrowthOptions, ScaffoldOptions

CHILDREN = 2


def table(count: int, start: float = 0.0, owner: FeatureOwner = "anchor") -> AnchorTable:
    positions = torch.zeros(count, 3)
    positions[:, 0] = torch.arange(count) + start
    return AnchorTable(
        positions=positions,
        embedding=torch.arange(count * 4.0).view(count, 4),
        log_extent=torch.zeros(count, 3),
        offsets=torch.zeros(count, CHILDREN, 3),
        opacity_logits=torch.zeros(count, CHILDREN),
        log_scales=torch.zeros(count, CHILDREN, 3),
        quaternions=torch.zeros(count, CHILDREN, 4),
        colour_logits=torch.zeros(count, CHILDREN, 3),
        feature=torch.ones(count, 3) if owner == "anchor" else torch.arange(count * CHILDREN * 3.0).view(count, CHILDREN, 3),
    )


def field_and_optimizer(count: int, owner: FeatureOwner = "anchor") -> tuple[AnchorField, torch.optim.Adam]:
    options = ScaffoldOptions(children=CHILDREN, embedding=4, features=3, feature_per=owner)
    field = AnchorField(table(count, owner=owner), options, images=1, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam([{"params": [getattr(field, name)]} for name in TRAINED_COLUMNS], lr=0.1)
    sum(getattr(field, name).sum() * 2.0 for name in TRAINED_COLUMNS).backward()
    optimizer.step()
    optimizer.zero_grad()
    return field, optimizer


def test_resize_keeps_rows_with_their_momentum_and_starts_new_ones_without():
    field, optimizer = field_and_optimizer(4)
    before = field.embedding.detach().clone()
    resize(field, optimizer, torch.tensor([True, False, True, True]), table(2, start=10.0))
    assert field.anchor_count == 5
    torch.testing.assert_close(field.embedding.detach()[:3], before[[0, 2, 3]])
    assert field.positions[:, 0].tolist() == [0.0, 2.0, 3.0, 10.0, 11.0]
    momentum = optimizer.state[field.embedding]["exp_avg"]
    torch.testing.assert_close(momentum, torch.cat([torch.full((3, 4), 0.2), torch.zeros(2, 4)]))
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {
        id(getattr(field, name)) for name in TRAINED_COLUMNS
    }
    field.embedding.sum().backward()
    optimizer.step()


def test_features_of_single_gaussians_are_resized_with_their_momentum():
    field, optimizer = field_and_optimizer(3, "gaussian")
    resize(field, optimizer, torch.tensor([True, False, True]), table(1, owner="gaussian"))
    assert field.feature.shape == (3, CHILDREN, 3)
    momentum = optimizer.state[field.feature]["exp_avg"]
    torch.testing.assert_close(momentum, torch.full((3, CHILDREN, 3), 0.2) * torch.tensor([1.0, 1.0, 0.0])[:, None, None])


def statistics(count: int, **columns: torch.Tensor) -> GrowthStatistics:
    result = GrowthStatistics.zeros(count, CHILDREN, torch.device("cpu"))
    for name, value in columns.items():
        setattr(result, name, value)
    return result


def test_statistics_add_up_over_steps():
    collected = statistics(3)
    for _ in range(2):
        collected.update(
            visible=torch.tensor([2, 0]),
            means2d_gradient=torch.tensor([[3.0, 4.0], [0.0, 1.0], [1.0, 0.0], [6.0, 8.0]]),
            radii=torch.tensor([1.0, 0.0, 2.0, 3.0]),
            opacities=torch.tensor([0.2, 0.4, 0.6, 1.0]),
            longer_side=10,
        )
    # Norm times half the longer side, twice; the second child of anchor 2 was culled.
    assert collected.gradient.tolist() == [[1.0 * 5 * 2, 10.0 * 5 * 2], [0.0, 0.0], [5.0 * 5 * 2, 0.0]]
    assert collected.seen.tolist() == [[2.0, 2.0], [0.0, 0.0], [2.0, 0.0]]
    torch.testing.assert_close(collected.opacity, torch.tensor([0.8 * 2, 0.0, 0.3 * 2]))
    assert collected.visits.tolist() == [2.0, 0.0, 2.0]


def test_only_anchors_seen_often_enough_and_transparent_are_pruned():
    options = GrowthOptions(interval=10, min_visits=8, min_opacity=0.1)
    collected = statistics(
        3, visits=torch.tensor([10.0, 5.0, 10.0]), opacity=torch.tensor([0.5, 0.25, 5.0])
    )  # mean opacities 0.05, 0.05 and 0.5
    assert rows_to_keep(collected, options).tolist() == [False, True, True]


def test_anchors_appear_where_the_gradient_is_large_and_no_anchor_is():
    field, _ = field_and_optimizer(2)
    with torch.no_grad():
        field.log_extent.zero_()
        field.offsets.zero_()
        field.offsets[0, 1] = torch.tensor([0.0, 5.0, 0.0])  # far from both anchors
        field.offsets[1, 1] = torch.tensor([0.0, 0.0, 5.0])  # far as well, but its gradient is small
    gradient = torch.tensor([[100.0, 100.0], [0.0, 1e-6]])
    options = GrowthOptions(interval=10, gradient_threshold=0.01, levels=1, coarsest_factor=1)
    collected = statistics(2, gradient=gradient, seen=torch.full((2, CHILDREN), 10.0))
    added = new_anchors(field, collected, 0.5, options, torch.Generator().manual_seed(0))
    torch.testing.assert_close(added.positions, torch.tensor([[0.0, 5.0, 0.0]]))
    torch.testing.assert_close(added.embedding, field.embedding.detach()[:1])


def test_a_new_anchor_takes_the_feature_of_the_gaussian_that_it_grew_from():
    field, _ = field_and_optimizer(1, "gaussian")
    with torch.no_grad():
        field.log_extent.zero_()
        field.offsets.zero_()
        field.offsets[0, 1, 1] = 5.0
    collected = statistics(1, gradient=torch.tensor([[0.0, 100.0]]), seen=torch.full((1, CHILDREN), 10.0))
    options = GrowthOptions(interval=10, gradient_threshold=0.01, levels=1, coarsest_factor=1)
    added = new_anchors(field, collected, 0.5, options, torch.Generator().manual_seed(0))
    torch.testing.assert_close(added.feature, field.feature.detach()[:1, 1:].expand(-1, CHILDREN, -1))


def test_growth_stops_at_the_cap_and_adds_one_anchor_a_cell():
    field, _ = field_and_optimizer(3)
    with torch.no_grad():
        field.log_extent.zero_()
        field.offsets.zero_()
        field.offsets[:, :, 1] = 7.0
        field.offsets[0, :, 0] = 0.1
        field.offsets[1, :, 0] = -0.9  # lands in the cell of the first anchor's children
    collected = statistics(3, gradient=torch.full((3, CHILDREN), 50.0), seen=torch.full((3, CHILDREN), 10.0))
    options = GrowthOptions(interval=10, levels=1, coarsest_factor=1, max_anchors=100)
    added = new_anchors(field, collected, 1.0, options, torch.Generator().manual_seed(0))
    assert added.positions.shape[0] == 2
    capped = GrowthOptions(interval=10, levels=1, coarsest_factor=1, max_anchors=4)
    assert new_anchors(field, collected, 1.0, capped, torch.Generator().manual_seed(0)).positions.shape[0] == 1
