"""Objects that no view sees whole: are masks broken, drawing objects anew, and joining their parts."""

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.instances.relift import fragments
from s3d_splat.instances.relift.fragments import drawn_anew, joined_parts, masks_break
from tests.instances.flat_scene import evidence

CUTS = [(2, 4, 8, 10), (1, 3, 7, 9), (3, 5, 9, 11), (2, 5, 8, 11), (1, 4, 7, 10)]
FREE = np.ones(12, dtype=bool)


def cut(*at: int) -> list[int]:
    """Masks 1, 2, ... of twelve Gaussians, one metre apart, a new one from each of the given on."""
    return (np.searchsorted(sorted(at), np.arange(12), side="right") + 1).tolist()


BROKEN = [cut(*view) for view in CUTS]  # one object, in five parts, or two of six, in three
TWO = [cut(*view, 6) for view in CUTS]  # two objects: all views have a border between Gaussians 5 and 6
HALVES = [0] * 6 + [1] * 6


def drawn(views: list[list[int]], anchor: list[int] | None = None) -> list[int]:
    found = drawn_anew(evidence(*views), FREE, np.arange(12) if anchor is None else np.array(anchor), 1.5)
    return np.unique(found, return_inverse=True)[1].tolist()


def joined(views: list[list[int]], labels: list[int], voxel: float = 1.0) -> list[int]:
    return joined_parts(evidence(*views), np.array(labels), voxel).tolist()


def test_masks_break_where_most_of_what_views_show_is_in_fragments() -> None:
    """Each half lies under three masks of two: it agrees with itself by a third. A third of the weight is the limit."""
    third = [1, 1, 2, 2] + [3] * 8  # a cluster of four that two masks halve, beside one of eight that is whole
    labels = np.array([0] * 4 + [1] * 8)
    assert masks_break(evidence(*BROKEN), np.array(HALVES), 0.6)
    assert not masks_break(evidence(cut(), cut(6)), np.array(HALVES), 0.6)
    assert not masks_break(evidence(third), labels, 0.6)
    assert masks_break(evidence(third), np.where(np.arange(12) < 11, labels, -1), 0.6)  # 4 of 11
    assert not masks_break(evidence(*BROKEN), np.full(12, -1), 0.6)


def test_objects_are_drawn_where_masks_never_break() -> None:
    """Every view cuts in five, each time elsewhere: neighbours agree in three views of five and more."""
    assert drawn(BROKEN) == [0] * 12
    assert drawn(TWO) == HALVES


def test_only_the_free_are_drawn() -> None:
    free = np.arange(12) >= 6
    assert drawn_anew(evidence(*TWO), free, np.arange(12), 1.5).tolist() == [-1] * 6 + [0] * 6
    assert drawn_anew(evidence(*TWO), ~FREE, np.arange(12), 1.5).tolist() == [-1] * 12


def test_what_is_out_of_reach_is_not_compared() -> None:
    assert len(set(drawn_anew(evidence(*BROKEN), FREE, np.arange(12), 0.9).tolist())) == 12


def test_anchors_are_not_divided() -> None:
    """One anchor holds Gaussians 5 and 6, of two objects: it is drawn as one, to either."""
    found = drawn(TWO, [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10])
    assert found[5] == found[6]


def test_too_many_anchors_are_drawn_by_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of three metres hold three Gaussians each, none of two objects."""
    monkeypatch.setattr(fragments, "_MAX_ATOMS", 4)
    found = drawn_anew(evidence(cut(6), cut(6)), FREE, np.arange(12), 6.0)
    assert np.unique(found, return_inverse=True)[1].tolist() == HALVES
    assert len(fragments._atoms(evidence(*TWO).means, np.arange(12), 6.0)[1]) <= 4


def test_parts_of_an_object_join() -> None:
    """No view cuts between Gaussians 5 and 6, where the parts meet, and they share a mask of three in every view."""
    assert joined(BROKEN, HALVES) == [0] * 12
    assert joined(BROKEN, [0] * 4 + [1] * 4 + [2] * 4) == [0] * 12


def test_two_objects_stay_two() -> None:
    assert joined(TWO, HALVES) == HALVES
    assert joined(TWO, [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2]) == [0] * 6 + [2] * 6


def test_what_agrees_only_where_it_touches_stays_two() -> None:
    """One Gaussian of twenty lies under the mask of the other object: their contact agrees wholly, a twentieth of all does.

    Over the root of (19/20)^2 + (1/20)^2 that is .0526, and the mean of it and 1 is .229; of one in ten it would be .33.
    """
    for size, halves in ((20, True), (10, False)):
        labels = [0] * size + [1] * size
        views = [[1] * (size - 1) + [2] * (size + 1)] * 4
        assert (joined(views, labels) == labels) == halves


def test_parts_that_do_not_touch_stay_two() -> None:
    apart = [0] * 5 + [-1] * 2 + [1] * 5
    assert joined(BROKEN, apart) == apart


def test_the_same_whatever_masks_are_called() -> None:
    masks = evidence(*BROKEN)
    order = np.random.default_rng(0).permutation(len(masks.view))
    mixed = replace(masks, weights=masks.weights[order], view=masks.view[order], given_id=masks.given_id[order])
    for found, again in (
        (joined_parts(masks, np.array(HALVES), 1.0), joined_parts(mixed, np.array(HALVES), 1.0)),
        (drawn_anew(masks, FREE, np.arange(12), 1.5), drawn_anew(mixed, FREE, np.arange(12), 1.5)),
    ):
        assert found.tolist() == again.tolist()


def test_nothing_to_join() -> None:
    assert joined([[1, 1]], [-1, -1]) == [-1, -1]
    assert joined([[1, 1]], [0, 0]) == [0, 0]
