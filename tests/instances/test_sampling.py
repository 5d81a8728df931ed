"""Farthest point sampling against the plain algorithm, and its laws."""

import pytest
import torch

from s3d_splat.instances.over_segmentation import connected_parts, joint_space, over_segment, segment_means, usual_spacing
from s3d_splat.instances.sampling import farthest_points


def plain(points: torch.Tensor, count: int, start: int) -> list[int]:
    seeds, distance = [start], (points - points[start]).square().sum(1)
    while len(seeds) < count:
        seeds.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[seeds[-1]]).square().sum(1))
    return seeds


def test_seeds_on_a_line_are_its_ends_then_its_middle() -> None:
    points = torch.arange(9.0)[:, None]
    seeds, nearest = farthest_points(points, 3, start=0)
    assert seeds.tolist() == [0, 8, 4]
    assert nearest.tolist() == [0, 0, 0, 2, 2, 2, 1, 1, 1] or nearest.tolist() == [0, 0, 0, 2, 2, 2, 2, 1, 1]


def test_buckets_change_nothing() -> None:
    points = torch.randn(5_000, 4, generator=torch.Generator().manual_seed(1))
    seeds, nearest = farthest_points(points, 60, start=17)
    assert seeds.tolist() == plain(points, 60, 17)
    distance = torch.cdist(points.double(), points[seeds].double())
    assert torch.equal(distance.gather(1, nearest[:, None])[:, 0], distance.amin(1))


def test_a_sparse_far_corner_gets_its_seed() -> None:
    crowd = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(2))
    points = torch.cat((crowd, torch.tensor([[9.0, 9.0, 9.0]])))
    assert farthest_points(points, 2)[0].tolist() == [0, 20_000]


def test_coinciding_points_share_a_seed() -> None:
    points = torch.tensor([[0.0, 1.0], [2.0, 1.0]]).repeat(4, 1)
    seeds, nearest = farthest_points(points, 5)
    assert seeds.tolist() == [0, 1]
    assert nearest.tolist() == [0, 1] * 4


def test_nothing_has_no_seeds() -> None:
    seeds, nearest = farthest_points(torch.zeros(0, 3), 5)
    assert len(seeds) == 0
    assert len(nearest) == 0


def test_the_joint_space_has_unit_features_and_scaled_positions() -> None:
    joint = joint_space(torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 5.0]]), 0.5)
    expected = torch.tensor([[0.6, 0.8, -0.5, 0.0, 0.0], [0.0, 1.0, 0.5, 0.0, 0.0]])
    torch.testing.assert_close(joint, expected)


def test_many_buckets_with_tails_and_ties_change_nothing() -> None:
    generator = torch.Generator().manual_seed(5)
    tail = torch.exp(1.5 * torch.randn(3_000, 1, generator=generator))
    points = torch.cat(
        (torch.randn(3_000, 9, generator=generator) * tail, torch.randint(3, (1_000, 9), generator=generator))
    )
    seeds, nearest = farthest_points(points, 200, start=3)
    assert seeds.tolist() == plain(points, 200, 3)
    distance = torch.cdist(points.double(), points[seeds].double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distance.gather(1, nearest[:, None])[:, 0], distance.amin(1))


def test_over_segments_are_those_of_plain_k_means() -> None:
    generator = torch.Generator().manual_seed(6)
    points = torch.randn(5_000, 9, generator=generator)
    start = int(torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(7)))
    seeds = plain(points, 100, start)
    labels = torch.cdist(points, points[seeds]).argmin(1)
    for _ in range(2):
        centres = torch.stack([points[labels == label].double().mean(0) for label in range(100)])
        labels = torch.cdist(points.double(), centres).argmin(1)
    assert torch.equal(over_segment(points, 100, 2, torch.Generator().manual_seed(7)), labels)


def test_over_segments_recover_separated_groups() -> None:
    generator = torch.Generator().manual_seed(3)
    truth = torch.arange(400) % 4
    points = torch.randn(400, 5, generator=generator) * 0.01 + torch.eye(5)[truth]
    labels = over_segment(points, 4, 2, generator)
    assert len(torch.unique(truth * 4 + labels)) == 4


def test_over_segments_are_the_same_for_the_same_seed() -> None:
    points = torch.randn(3_000, 5, generator=torch.Generator().manual_seed(4))
    first, second = (over_segment(points, 50, 2, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first, second)


def test_weighted_means_by_hand() -> None:
    values = torch.tensor([[1.0], [4.0], [7.0]])
    means = segment_means(values, torch.tensor([0, 0, 2]), 3, torch.tensor([1.0, 2.0, 5.0]))
    assert means.tolist() == [[3.0], [float("inf")], [7.0]]


LINE = torch.tensor([[x, 0.0, 0.0] for x in (0.05, 0.15, 0.25, 1.05, 1.15, 1.25, 1.35)])


def test_parts_of_a_segment_that_do_not_touch_are_two() -> None:
    """Cells of 0.2 m; the two halves are 0.8 m apart, and the second segment lies within the first half."""
    one = torch.zeros(7, dtype=torch.int64)
    assert connected_parts(LINE, one, 0.1, 1).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert connected_parts(LINE, torch.tensor([0, 1, 0, 0, 0, 0, 0]), 0.1, 1).tolist() == [0, 2, 0, 1, 1, 1, 1]


def test_small_parts_stay_with_the_largest() -> None:
    one = torch.zeros(7, dtype=torch.int64)
    assert connected_parts(LINE, one, 0.1, 3).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert connected_parts(LINE, one, 0.1, 4).tolist() == [0] * 7


def test_usual_spacing_is_a_median() -> None:
    sparse = torch.tensor([0.0, 2.0, 4.0, 6.0, 60.0])[:, None] * torch.tensor([1.0, 0.0, 0.0])
    assert usual_spacing(sparse) == pytest.approx(2.0)
    assert usual_spacing(sparse[:1]) == 0.0
