"""Ids by first appearance, classes by vote."""

from __future__ import annotations

import numpy as np

from s3d_splat.alignment.identity.tables import MAX_ID, TrackTable, instance_rows, numbered
from s3d_splat.types import ClassInfo, InstanceInfo


def test_ids_are_given_by_first_appearance() -> None:
    assert numbered(np.array([7, 3, 7, 0]), np.array([1, 1, 1, 1])).tolist() == [1, 2, 1, 3]


def test_the_lightest_objects_give_way_where_ids_run_out() -> None:
    count = MAX_ID + 2
    weight = np.full(count, 5)
    weight[[1, 4]] = 1
    ids = numbered(np.arange(count), weight)
    assert ids[[0, 1, 2, 3, 4, 5]].tolist() == [1, 0, 2, 3, 0, 4]
    assert ids.max() == MAX_ID


def test_the_class_that_most_pixels_vote_for() -> None:
    rows = [InstanceInfo(1, 5, "cup", True, 1.0), InstanceInfo(2, 6, "bowl", True, 1.0)]
    table = TrackTable([rows])
    for given in (1, 2, 2, 3):
        table.new(0, given)
    instances, classes = instance_rows(np.array([1, 1, 1, 2]), table, np.array([10, 4, 4, 9]), {1: 0.5, 2: 1.0})
    assert instances == (InstanceInfo(1, 5, "cup", True, 0.5), InstanceInfo(2, 7, "object", True, 1.0))
    assert classes == (ClassInfo(5, "cup", True), ClassInfo(6, "bowl", True), ClassInfo(7, "object", True))


def test_a_capture_without_classes_has_objects() -> None:
    table = TrackTable([[InstanceInfo(1, 0, "", True, 1.0)]])
    table.new(0, 1)
    instances, classes = instance_rows(np.array([1]), table, np.array([3]), {1: 1.0})
    assert classes == (ClassInfo(1, "object", True),)
    assert instances[0].class_id == 1


def test_tracks_that_became_one() -> None:
    table = TrackTable([[]])
    for given in (1, 2, 3):
        table.new(0, given)
    table.unite(np.array([1, 2]), np.array([1, 1]))
    assert table.leaders().tolist() == [0, 1, 1]
