"""What every way to join over-segments promises."""

import pytest
import torch

from s3d_splat.instances.clustering.base import Clustering, OverSegments
from s3d_splat.instances.clustering.registry import CLUSTERINGS
from s3d_splat.instances.options import AggregationOptions

OPTIONS = AggregationOptions(voxel=0.5)
SIDE = 4  # over-segments along the edge of an object, 0.1 m apart


@pytest.fixture(params=CLUSTERINGS, ids=str)
def clustering(request: pytest.FixtureRequest) -> Clustering:
    return CLUSTERINGS[request.param]


def two_objects(**changed: torch.Tensor) -> OverSegments:
    """Two squares of 16 over-segments, side by side, of one point each; looks are a diagonal of the unit cube apart."""
    axis = 0.1 * torch.arange(SIDE)
    square = torch.cat((torch.cartesian_prod(axis, axis), torch.zeros(SIDE * SIDE, 1)), dim=1)
    positions = torch.cat((square, square + torch.tensor([0.5, 0.0, 0.0])))
    looks = torch.tensor([[0.0, 0.0, 0.0]] * SIDE**2 + [[1.0, 1.0, 1.0]] * SIDE**2)
    looks = looks + 0.01 * torch.rand(looks.shape, generator=torch.Generator().manual_seed(0))
    columns = {"positions": positions, "labels": torch.arange(len(looks)), "looks": looks}
    return OverSegments(**{**columns, "joinable": torch.ones(len(looks), dtype=torch.bool), **changed})


def test_two_objects_are_two_clusters_numbered_by_their_lowest_member(clustering: Clustering):
    assert clustering(two_objects(), OPTIONS).tolist() == [0] * SIDE**2 + [1] * SIDE**2


def test_what_may_not_join_stays_alone(clustering: Clustering):
    joinable = torch.arange(2 * SIDE**2) != 5
    found = clustering(two_objects(joinable=joinable), OPTIONS)
    assert int((found == found[5]).sum()) == 1
    assert len(torch.unique(found)) == 3


def test_nothing_joinable_is_as_many_clusters_as_over_segments(clustering: Clustering):
    found = clustering(two_objects(joinable=torch.zeros(2 * SIDE**2, dtype=torch.bool)), OPTIONS)
    assert found.tolist() == list(range(2 * SIDE**2))


def test_one_over_segment_is_one_cluster(clustering: Clustering):
    one = OverSegments(torch.zeros(3, 3), torch.zeros(3, dtype=torch.int64), torch.ones(1, 3), torch.tensor([True]))
    assert clustering(one, OPTIONS).tolist() == [0]


def test_the_same_bits_again_and_no_argument_is_touched(clustering: Clustering):
    segments, copy = two_objects(), two_objects()
    assert torch.equal(clustering(segments, OPTIONS), clustering(segments, OPTIONS))
    assert torch.equal(segments.looks, copy.looks)
    assert torch.equal(segments.positions, copy.positions)
