"""Thresholds chosen from the masks, edges by colour, and what HDBSCAN is given."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from s3d_splat.errors import S3DError
from s3d_splat.instances.clustering.base import OverSegments
from s3d_splat.instances.clustering.graph import cluster_by_graph
from s3d_splat.instances.clustering.hdbscan import cluster_by_hdbscan
from s3d_splat.instances.clustering.threshold import CANDIDATES, WITHOUT_VIEWS, best_threshold
from s3d_splat.instances.consensus import Overlap
from s3d_splat.instances.options import AggregationOptions, Edges


def overlap(*views: list[int]) -> Overlap:
    """Each view lists, for every over-segment, the mask that it lies under with weight 1; 0 = not shown."""
    rows, columns, view_of = [], [], []
    for number, masks in enumerate(views):
        first = {mask: len(view_of) + i for i, mask in enumerate(sorted(set(masks) - {0}))}
        view_of += [number] * len(first)
        rows += [first[mask] for mask in masks if mask]
        columns += [i for i, mask in enumerate(masks) if mask]
    return Overlap(csr_matrix((np.ones(len(rows)), (rows, columns)), (len(view_of), len(views[0]))), np.array(view_of))


def row(*looks: float) -> OverSegments:
    """Over-segments of one point each in a row, 0.1 m apart; the first of their three numbers is given."""
    count = len(looks)
    positions = torch.stack((0.1 * torch.arange(count) + 0.05, torch.zeros(count), torch.zeros(count)), dim=1)
    described = torch.stack((torch.tensor(looks), torch.zeros(count), torch.zeros(count)), dim=1)
    return OverSegments(positions, torch.arange(count), described, torch.ones(count, dtype=torch.bool))


PAIRS = torch.tensor([[0, 1], [1, 2], [2, 3]])


@pytest.mark.parametrize(("inside", "between"), [(0.03, 0.07), (0.07, 0.11), (0.09, 0.13)])
def test_the_threshold_lies_between_what_one_mask_and_what_two_masks_show(inside: float, between: float):
    """Over-segments 0 and 1 lie under one mask, 2 and 3 under another."""
    found = best_threshold(PAIRS, torch.tensor([inside, between, inside]), overlap([1, 1, 2, 2], [7, 7, 4, 4]))
    assert inside < found <= between


def test_a_threshold_is_judged_by_the_clusters_that_it_chains():
    """The edge between the objects is as short as their own: joining all is worse than joining nothing."""
    found = best_threshold(PAIRS, torch.tensor([0.1, 0.1, 0.1]), overlap([1, 1, 2, 2], [1, 1, 2, 3]))
    assert found == CANDIDATES[0]


@pytest.mark.parametrize(("views", "joins"), [(2, False), (4, True)])
def test_one_view_that_breaks_objects_outvotes_three_that_show_them_whole_and_no_more(views: int, joins: bool):
    seen = overlap(*[[1, 1, 2, 2]] * views, [1, 2, 3, 4])
    found = best_threshold(PAIRS, torch.tensor([0.1, 0.3, 0.1]), seen)
    assert (0.1 < found <= 0.3) if joins else found == CANDIDATES[0]


def test_without_a_view_of_two_over_segments_the_constant_stands():
    assert best_threshold(PAIRS, torch.tensor([0.1, 0.3, 0.1]), overlap([1, 0, 0, 0], [0, 0, 2, 0])) == WITHOUT_VIEWS
    chosen = AggregationOptions(feature_threshold=None)
    assert cluster_by_graph(row(0.0, 0.14, 0.3), chosen).tolist() == [0, 0, 1]


@pytest.mark.parametrize("edges", ["both", "feature", "colour"])
def test_the_graph_asks_the_views_where_no_threshold_is_given(edges: Edges):
    segments = row(0.0, 0.09, 0.23, 0.32)
    seen = OverSegments(**{**vars(segments), "overlap": overlap([1, 1, 2, 2])})
    assert cluster_by_graph(seen, AggregationOptions(edges=edges)).tolist() == [0, 0, 1, 1]
    assert cluster_by_graph(seen, AggregationOptions(feature_threshold=0.15, edges=edges)).tolist() == [0, 0, 0, 0]


def test_hdbscan_leaves_what_is_like_nothing_alone():
    segments = row(*(0.01 * i for i in range(12)), 5.0, *(1.0 + 0.01 * i for i in range(12)))
    found = cluster_by_hdbscan(segments, AggregationOptions(position_weight=0.0, hdbscan_min_segments=4))
    assert found.tolist() == [0] * 12 + [1] + [2] * 12


def test_hdbscan_of_clusters_of_one_is_refused():
    with pytest.raises(S3DError, match="hdbscan_min_segments is 1"):
        cluster_by_hdbscan(row(0.0, 1.0), AggregationOptions(hdbscan_min_segments=1))
