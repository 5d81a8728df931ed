"""Relift and consensus on evidence small enough to follow by hand."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from s3d_splat.instances import consensus
from s3d_splat.instances.consensus import (
    Overlap,
    agreement,
    cluster_columns,
    merged_clusters,
    pair_agreement,
    self_agreement,
)
from s3d_splat.instances.options import ReliftOptions
from s3d_splat.instances.relift.choices import mask_choices
from s3d_splat.instances.relift.rounds import relift, with_neighbours
from tests.instances.flat_scene import evidence

PLAIN = ReliftOptions(split=False, fragments=False, merge=False, min_size=1, min_pixels=1)
FULL = ReliftOptions(min_size=1, min_pixels=1)
VOXEL = 1.0  # Gaussians are one metre apart, so that neighbours touch
NO_STUFF = np.zeros(0, dtype=np.int64)


def test_a_mask_takes_its_majority_and_gaussians_follow_their_masks() -> None:
    """Six Gaussians of two objects; the third was clustered with the wrong one."""
    masks = evidence([1, 1, 1, 2, 2, 2])
    assert mask_choices(masks, np.array([1, 1, 2, 2, 2, 2]), NO_STUFF, 0.25).tolist() == [1, 2]
    assert relift(masks, np.array([1, 1, 2, 2, 2, 2]), PLAIN, VOXEL).tolist() == [1, 1, 1, 2, 2, 2]


def test_no_round_changes_nothing() -> None:
    labels = np.array([3, 0, 1])
    assert relift(evidence([1, 1, 2]), labels, ReliftOptions(rounds=0), VOXEL).tolist() == [3, 0, 1]


def test_a_mask_without_a_dominant_cluster_is_no_evidence() -> None:
    masks = evidence([1] * 8)
    labels = np.arange(1, 9)
    assert mask_choices(masks, labels, NO_STUFF, min_share=0.125).tolist() == [1]
    assert mask_choices(masks, labels, NO_STUFF, min_share=0.2).tolist() == [0]
    assert relift(masks, labels, PLAIN, VOXEL).tolist() == [0] * 8


def test_heavier_views_outvote_others() -> None:
    masks = evidence([1, 1, 2, 2], [1, 1, 1, 2], [1, 1, 1, 2])
    assert relift(masks, np.array([1, 1, 0, 2]), PLAIN, VOXEL).tolist() == [1, 1, 1, 2]


def test_a_cluster_that_no_mask_chooses_vanishes() -> None:
    masks = evidence([1, 1, 1, 1, 2, 2])
    assert relift(masks, np.array([1, 1, 1, 2, 3, 3]), PLAIN, VOXEL).tolist() == [1, 1, 1, 1, 2, 2]


def test_small_instances_are_dropped_for_the_next_best() -> None:
    """The last Gaussian alone is instance 2; one of its two views shows it with the others."""
    masks = evidence([1, 1, 1, 2], [1, 1, 1, 2], [1, 1, 1, 1])
    labels = np.array([1, 1, 1, 2])
    assert relift(masks, labels, PLAIN, VOXEL).tolist() == [1, 1, 1, 2]
    assert (
        relift(masks, labels, ReliftOptions(split=False, merge=False, min_size=2, min_pixels=1), VOXEL).tolist() == [1] * 4
    )


def test_an_under_segmented_cluster_is_divided() -> None:
    views = [[1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1], [-1, 1, 1, 2, 2, 2]]
    assert relift(evidence(*views), np.ones(6, dtype=np.int64), PLAIN, VOXEL).tolist() == [1] * 6
    labels = relift(evidence(*views), np.ones(6, dtype=np.int64), FULL, VOXEL)
    assert len(set(labels[:3])) == len(set(labels[3:])) == 1
    assert labels[0] != labels[3]


def test_masks_that_break_differently_in_each_view_divide_nothing_for_good() -> None:
    """One object whose masks are cut in another place in every view, mostly near an end."""
    views = [[1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 1, 2], [1] * 6, [1] * 6, [1, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 1]]
    assert len(set(relift(evidence(*views), np.ones(6, dtype=np.int64), FULL, VOXEL).tolist())) == 1


def test_an_over_segmented_object_is_joined_though_no_view_sees_it_whole() -> None:
    """Four parts in a row, each view shows two of them, beside another object."""
    views = [[1, 1, 1, 1, -1, -1, -1, -1, 2, 2], [-1, -1, 1, 1, 1, 1, -1, -1, 2, 2], [-1, -1, -1, -1, 1, 1, 1, 1, 2, 2]]
    labels = np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    assert relift(evidence(*views), labels, FULL, VOXEL).tolist() == [1] * 8 + [2] * 2


def test_two_objects_under_one_mask_now_and_then_stay_two() -> None:
    views = [[1, 1, 2, 2], [1, 1, 1, 1], [1, 1, 2, 2], [2, 2, 1, 1]]
    labels = relift(evidence(*views), np.array([1, 1, 2, 2]), FULL, VOXEL)
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_stuff_masks_are_one_label_without_being_chosen() -> None:
    masks = evidence([1, 1, 2, 2], [1, 1, 2, 2], class_ids={1: 7, 2: 3}, stuff=(7,))
    labels = relift(masks, np.array([1, 2, 1, 1]), FULL, VOXEL)
    assert labels.tolist() == [1, 1, 2, 2]  # stuff first


@pytest.mark.parametrize("options", [PLAIN, FULL], ids=["votes alone", "with cuts and joins"])
def test_mask_numbers_of_a_view_do_not_matter(options: ReliftOptions) -> None:
    """Five objects, one Gaussian in four is under another mask or in another cluster. The rows of a view's masks are in
    another order, too: only which Gaussians share a mask may count."""
    rng = np.random.default_rng(0)
    noisy = [np.where(rng.random(60) < 0.25, rng.integers(-1, 6, 60), np.arange(60) // 12 + 1) for _ in range(9)]
    views, labels = [view.tolist() for view in noisy[:8]], np.maximum(noisy[8], 0)
    shuffled = []
    for view in views:
        names = np.concatenate(([0], rng.permutation(40)[:5] + 1))
        shuffled.append([int(names[mask]) if mask > 0 else mask for mask in view])
    found, again = (relift(evidence(*masks), labels, options, VOXEL) for masks in (views, shuffled))
    assert len(set(found.tolist())) > 1
    assert (found[:, None] == found).tolist() == (again[:, None] == again).tolist()


def test_an_unseen_gaussian_takes_its_anchors_label_else_the_nearest() -> None:
    """Two children an anchor, at x = 0, 1, ...; the second child of anchor 0 and all of anchors 2 and 4 were not seen."""
    masks = evidence([1, -1, 1, 1, -1, -1, 2, 2, -1, -1])
    labels = np.array([1, 2, 1, 1, 0, 0, 2, 2, 0, 0])
    expected = [1, 1, 1, 1, 1, 2, 2, 2, 2, 0]
    assert with_neighbours(labels, masks, children=2, radius=1.5).tolist() == expected


def test_what_is_seen_without_a_mask_is_not_filled() -> None:
    assert with_neighbours(np.array([1, 0]), evidence([1, 0]), children=2, radius=9.0).tolist() == [1, 0]


def test_agreement_by_hand() -> None:
    """Clusters {0, 1}, {2}: under one mask in the first view, not in the second; the third shows the first cut in two."""
    masks = evidence([1, 1, 1], [1, 1, 2], [1, 2, -1])
    labels = np.array([0, 0, 1])
    rates, shared = agreement(Overlap(masks.weights @ cluster_columns(labels, 2), masks.view))
    assert shared == pytest.approx(np.array([[6, 2 * 2**0.5], [2 * 2**0.5, 2]]))
    # With itself: 1 and 1 in the first views, 1/2 in the third, each with weight 2. With the other: 1 and 0.
    assert rates == pytest.approx(np.array([[5 / 6, 1 / 2], [1 / 2, 1]]))


def test_memory_of_agreement_does_not_follow_the_number_of_masks_times_clusters() -> None:
    """40,000 masks over 400 clusters: as a dense matrix alone 128 MB; what is held is 3 numbers a mask, and pairs."""
    masks, clusters = 40_000, 400
    rows = np.arange(masks)
    weights = csr_matrix((np.ones(masks), (rows, rows % clusters)), shape=(masks, clusters))
    tracemalloc.start()
    rates, shared = agreement(Overlap(weights, rows // clusters))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rates == pytest.approx(np.eye(clusters))  # a view shows every cluster once, each under a mask of its own
    assert (shared == masks // clusters).all()
    assert peak < 50e6


def test_only_mutual_best_partners_join_in_one_round_but_chains_complete() -> None:
    masks = evidence([1, 1, -1], [-1, 1, 1], [-1, 1, 1])
    overlap = Overlap(masks.weights @ cluster_columns(np.arange(3), 3), masks.view)
    assert merged_clusters(overlap, 0.6, 1).tolist() == [0, 0, 0]
    assert merged_clusters(overlap, 0.6, 5).tolist() == [0, 1, 2]


def test_without_masks_there_are_no_objects() -> None:
    assert relift(evidence([-1, -1, 0]), np.array([2, 2, 1]), FULL, VOXEL).tolist() == [0, 0, 0]
    assert relift(evidence([]), np.zeros(0, dtype=np.int64), FULL, VOXEL).tolist() == []


def test_what_views_see_mostly_without_a_mask_is_no_objects() -> None:
    """The last Gaussian lies under a mask in one view of four, the third in two; the limit is a third."""
    masks = evidence([1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0])
    assert relift(masks, np.ones(4, dtype=np.int64), PLAIN, VOXEL).tolist() == [1, 1, 1, 0]


def test_agreement_of_pairs_is_that_of_all() -> None:
    masks = evidence([1, 1, 1, 2], [1, 1, 2, 2], [1, 2, -1, 2], [-1, 3, 3, 0])
    overlap = Overlap(csr_matrix(masks.weights @ cluster_columns(np.array([0, 1, 2, 1]), 3)), masks.view)
    rates, shared = agreement(overlap)
    pairs = np.array([[0, 1], [0, 2], [1, 2], [2, 0]])
    found = pair_agreement(overlap, pairs)
    assert found[0] == pytest.approx(rates[tuple(pairs.T)])
    assert found[1] == pytest.approx(shared[tuple(pairs.T)])
    assert self_agreement(overlap) == pytest.approx(rates.diagonal())


def test_known_objects_never_join_through_what_lies_between() -> None:
    """Clusters 0 and 1 are known. All three agree wholly; the third goes to one of them, and no two known ones are tied."""
    masks = evidence([1, 1, 1], [1, 1, 1])
    overlap = Overlap(masks.weights @ cluster_columns(np.arange(3), 3), masks.view)
    assert len(set(merged_clusters(overlap, 0.6, 1).tolist())) == 1
    group = merged_clusters(overlap, 0.6, 1, certain=2).tolist()
    assert group[0] != group[1]
    assert group[2] in group[:2]


def test_an_object_whose_masks_break_anew_in_each_view_is_joined_at_the_end() -> None:
    """Two halves of six Gaussians, each cut into three masks by every view, and never where they meet."""
    cuts = [(2, 4, 8, 10), (1, 3, 7, 9), (3, 5, 9, 11), (2, 5, 8, 11), (1, 4, 7, 10)]
    masks = evidence(*[(np.searchsorted(view, np.arange(12), side="right") + 1).tolist() for view in cuts])
    labels = np.arange(12) // 6 + 1
    apart = replace(FULL, split=False, strays=False, fragments=False)
    assert len(set(relift(masks, labels, apart, VOXEL).tolist())) == 2
    assert relift(masks, labels, replace(apart, fragments=True), VOXEL).tolist() == [1] * 12


def test_only_the_heaviest_clusters_take_part_in_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four clusters of 1, 3, 2 and 3 Gaussians under one mask; the last two of them are not among the two heaviest."""
    masks = evidence([1] * 9, [1] * 9)
    overlap = Overlap(masks.weights @ cluster_columns(np.array([0, 1, 1, 1, 2, 2, 3, 3, 3]), 4), masks.view)
    assert merged_clusters(overlap, 0.6, 1).tolist() == [0] * 4
    monkeypatch.setattr(consensus, "_MAX_CLUSTERS", 2)
    assert len(set(merged_clusters(overlap, 0.6, 1).tolist())) == 3
    group = merged_clusters(overlap, 0.6, 1, certain=2).tolist()
    assert group[1] == group[3]  # one of them is known
    assert len(set(group)) == 3
    assert len(set(merged_clusters(overlap, 0.6, 1, certain=4).tolist())) == 4
