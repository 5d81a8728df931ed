"""Clusters of anchors: what joins, what does not, and what is left out."""

import pytest
import torch

from s3d_splat.instances.aggregate import AnchorClusters, aggregate_anchors
from s3d_splat.instances.graph import components
from s3d_splat.instances.options import AggregationOptions, Edges
from s3d_splat.instances.over_segmentation import over_segment

RED, GREEN = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])


def patch(x: float, side: int = 8, spacing: float = 0.05) -> torch.Tensor:
    """A square of points on the plane z = 0.02, from x on."""
    axis = torch.arange(side) * spacing + 0.01
    grid = torch.cartesian_prod(axis, axis)
    return torch.cat((grid + torch.tensor([x, 0.0]), torch.full((len(grid), 1), 0.02)), dim=1)


def aggregate(
    parts: list[tuple[torch.Tensor, torch.Tensor]], weights: torch.Tensor | None = None, **options: object
) -> AnchorClusters:
    positions = torch.cat([points for points, _ in parts])
    features = torch.cat([feature.expand(len(points), -1) for points, feature in parts])
    weights = torch.ones(len(positions)) if weights is None else weights
    chosen = AggregationOptions(**{"seeds": 8, "min_join": 1, "min_size": 3, **options})  # type: ignore[arg-type]
    return aggregate_anchors(positions, features, weights, chosen, torch.Generator().manual_seed(0))


def test_two_features_that_touch_are_two_objects() -> None:
    clusters = aggregate([(patch(0.0), RED), (patch(0.4), GREEN)])
    assert clusters.sizes.tolist() == [64, 64]
    assert len(torch.unique(clusters.labels[:64])) == 1
    assert clusters.labels.dtype == torch.int32


def test_one_feature_in_two_places_is_two_objects() -> None:
    clusters = aggregate([(patch(0.0), RED), (patch(5.0), RED)])
    assert clusters.sizes.tolist() == [64, 64]


@pytest.mark.parametrize(("edges", "expected"), [("both", 3), ("feature", 2), ("voxel", 2)])
def test_edges_choose_what_joins(edges: Edges, expected: int) -> None:
    """A red and a green patch that touch, and another red one far away."""
    clusters = aggregate([(patch(0.0), RED), (patch(0.4), GREEN), (patch(5.0), RED)], edges=edges)
    assert len(clusters.sizes) == expected


def test_edges_by_colour_ask_nothing_of_features() -> None:
    """Two patches of one feature that touch, one black, one white; and two of one colour and two features."""
    positions, colours = torch.cat((patch(0.0), patch(0.4))), torch.zeros(128, 3)
    options = AggregationOptions(seeds=8, min_join=1, min_size=3, edges="colour")

    def clusters(features: torch.Tensor, colours: torch.Tensor) -> list[int]:
        generator = torch.Generator().manual_seed(0)
        return aggregate_anchors(positions, features, torch.ones(128), options, generator, 1, colours).sizes.tolist()

    features = torch.cat((RED.expand(64, -1), GREEN.expand(64, -1)))
    assert clusters(features, colours) == [128]
    colours[64:] = 1.0
    assert clusters(features, colours) == [64, 64]
    with pytest.raises(ValueError, match="there are none"):
        aggregate([(patch(0.0), RED)], edges="colour")


def test_the_first_seed_is_drawn_or_the_outermost_point() -> None:
    points = torch.tensor([[0.0], [1.0], [1.1], [9.0]])
    for seed in range(5):  # from 9, the farthest is 0, and whatever the middle ones are nearer to is settled
        found = over_segment(points, 2, 0, torch.Generator().manual_seed(seed), "outermost")
        assert found.tolist() == [1, 1, 1, 0]
    drawn = {tuple(over_segment(points, 2, 0, torch.Generator().manual_seed(seed)).tolist()) for seed in range(20)}
    assert len(drawn) > 1


def test_hdbscan_may_take_the_place_of_the_graph() -> None:
    clusters = aggregate([(patch(0.0), RED), (patch(5.0), GREEN)], clustering="hdbscan", seeds=30)
    assert not set(clusters.labels[:64].tolist()) & set(clusters.labels[64:].tolist())
    assert int(clusters.labels.min()) > 0


def test_a_large_surface_in_many_over_segments_is_one_object() -> None:
    clusters = aggregate([(patch(0.0, side=40), RED)], seeds=100)
    assert len(torch.unique(clusters.segments)) == 100
    assert clusters.sizes.tolist() == [1600]


def test_prototypes_are_weighted_means_of_unit_length() -> None:
    weights = torch.ones(64)
    weights[:32] = 3.0
    clusters = aggregate([(patch(0.0)[:32], RED), (patch(0.0)[32:], 2 * GREEN)], weights, edges="voxel")
    torch.testing.assert_close(clusters.prototypes, torch.tensor([[3.0, 1.0, 0.0]]) / 10**0.5)


def test_small_clusters_are_dropped_and_children_count() -> None:
    parts = [(patch(0.0), RED), (patch(5.0, side=2), GREEN)]
    assert aggregate(parts, min_size=5).sizes.tolist() == [64]
    positions = torch.cat([points for points, _ in parts])
    features = torch.cat([feature.expand(len(points), -1) for points, feature in parts])
    options = AggregationOptions(seeds=8, min_join=1, min_size=5)
    found = aggregate_anchors(positions, features, torch.ones(68), options, torch.Generator(), children=2)
    assert found.sizes.tolist() == [64, 4]


def test_a_small_over_segment_joins_nothing() -> None:
    """Two points with a feature between the two objects' would chain them together."""
    between = (RED + GREEN) / 2
    bridge = torch.tensor([[0.405, 0.1, 0.02], [0.405, 0.2, 0.02]])
    parts = [(patch(0.0), RED), (bridge, between), (patch(0.42), GREEN)]
    loose = {"seeds": 3, "feature_threshold": 0.5, "position_weight": 0.01, "min_size": 1}
    assert len(aggregate(parts, min_join=1, **loose).sizes) == 1
    assert aggregate(parts, min_join=3, **loose).sizes.tolist() == [64, 64, 2]


def test_unseen_anchors_take_the_nearest_label_within_the_radius() -> None:
    weights = torch.ones(130)
    weights[:8] = 0
    weights[128:] = 0
    lonely = torch.tensor([[9.0, 9.0, 9.0], [0.76, 0.1, 0.1]])
    clusters = aggregate([(patch(0.0), GREEN), (patch(0.4), RED), (lonely, GREEN)], weights)
    assert clusters.labels[:8].tolist() == [int(clusters.labels[20])] * 8
    assert clusters.labels[128:].tolist() == [0, int(clusters.labels[100])]
    assert clusters.segments[:8].tolist() == [-1] * 8
    assert clusters.sizes.tolist() == [65, 64]


def test_what_nobody_saw_is_no_object() -> None:
    clusters = aggregate([(patch(0.0), RED)], torch.zeros(64))
    assert clusters.labels.tolist() == [0] * 64
    assert clusters.prototypes.shape == (0, 3)


def test_nothing_gives_nothing() -> None:
    clusters = aggregate([(torch.zeros(0, 3), RED)])
    assert len(clusters.labels) == 0
    assert len(clusters.sizes) == 0


def test_the_same_seed_gives_the_same_bits_and_touches_no_argument() -> None:
    generator = torch.Generator().manual_seed(1)
    positions, features = torch.rand(4_000, 3, generator=generator), torch.randn(4_000, 6, generator=generator)
    copies = positions.clone(), features.clone()
    runs = [
        aggregate_anchors(positions, features, torch.ones(4_000), AggregationOptions(), torch.Generator().manual_seed(5))
        for _ in range(2)
    ]
    assert torch.equal(runs[0].labels, runs[1].labels)
    assert torch.equal(runs[0].prototypes, runs[1].prototypes)
    assert torch.equal(positions, copies[0])
    assert torch.equal(features, copies[1])


def test_components_are_numbered_by_their_lowest_node() -> None:
    assert components(6, torch.tensor([[3, 4], [0, 5], [1, 4]])).tolist() == [0, 1, 2, 1, 1, 0]
    assert components(3, torch.zeros(0, 2, dtype=torch.int64)).tolist() == [0, 1, 2]
