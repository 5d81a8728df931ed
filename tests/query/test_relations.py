"""Relations between boxes: what holds, what does not, and laws that keep them from contradicting each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.query.geometry import Geometry
from s3d_splat.query.shapes import measured, shapes_of
from s3d_splat.query.values import Viewpoints
from tests.query import room

OBJECTS, VIEWS = room.objects(), room.viewpoints()
GEOMETRY = Geometry(OBJECTS, VIEWS)
EVERYTHING = np.arange(len(room.NAMES))
KINDS = ("near", "far from", "on", "in", "above", "below", "left of", "right of", "in front of", "behind")


def matrix(kind, geometry: Geometry = GEOMETRY) -> np.ndarray:
    """holds[a, b] of all pairs."""
    return geometry.holds(kind, EVERYTHING, EVERYTHING)


MATRICES = {kind: matrix(kind) for kind in KINDS}


def holds(kind: str, a: str, b: str) -> float:
    return float(MATRICES[kind][room.NAMES.index(a), room.NAMES.index(b)])


@pytest.mark.parametrize(
    ("a", "kind", "b", "yes"),
    [
        ("grey-blue chair", "near", "window", True),
        ("red chair", "near", "window", False),
        ("blue mug", "near", "book", False),
        ("red chair", "far from", "window", True),
        ("grey-blue chair", "far from", "window", False),
        ("blue mug", "on", "table", True),
        ("book", "on", "table", True),
        ("bag", "on", "table", False),
        ("bag", "on", "floor", True),
        ("sofa", "on", "floor", True),
        ("blue mug", "on", "floor", False),
        ("picture", "on", "wall", True),
        ("sofa", "on", "wall", False),
        ("grey-blue chair", "on", "wall", False),
        ("toy", "in", "crate", True),
        ("crate", "in", "toy", False),
        ("red ball", "in", "crate", False),
        ("bag", "below", "table", True),
        ("blue mug", "below", "table", False),
        ("red chair", "below", "table", False),
        ("table", "above", "bag", True),
        ("red ball", "left of", "sofa", True),
        ("small red ball", "left of", "sofa", False),
        ("small red ball", "right of", "sofa", True),
        ("table", "in front of", "picture", True),
        ("picture", "in front of", "table", False),
        ("red chair", "in front of", "window", False),  # nearer, but far to the left
        ("crate", "behind", "brown chair", True),
    ],
)
def test_relation(a: str, kind: str, b: str, yes: bool) -> None:
    assert (holds(kind, a, b) >= 0.5) == yes


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_between_0_and_1_and_nothing_relates_to_itself(kind: str) -> None:
    assert MATRICES[kind].min() >= 0
    assert MATRICES[kind].max() <= 1
    np.testing.assert_array_equal(np.diag(MATRICES[kind]), 0)


@pytest.mark.parametrize(("kind", "opposite"), [("left of", "right of"), ("in front of", "behind"), ("above", "below")])
def test_opposites(kind: str, opposite: str) -> None:
    np.testing.assert_allclose(MATRICES[kind], MATRICES[opposite].T, atol=1e-12)
    assert (MATRICES[kind] + MATRICES[opposite]).max() <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["near", "far from"])
def test_nearness_is_symmetric(kind: str) -> None:
    np.testing.assert_allclose(MATRICES[kind], MATRICES[kind].T, atol=1e-12)


def test_what_is_near_is_not_far() -> None:
    assert (MATRICES["near"] + MATRICES["far from"]).max() <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["on", "in"])
def test_only_one_of_two_is_on_or_in_the_other(kind: str) -> None:
    assert np.minimum(MATRICES[kind], MATRICES[kind].T).max() < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_turning_and_moving_the_world_with_its_cameras_changes_nothing(kind) -> None:
    angle = np.deg2rad(40)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = [3, -2, 0.7]
    seen = Viewpoints(turn @ VIEWS.T_world_camera, VIEWS.shown)
    turned = matrix(kind, Geometry(room.moved(OBJECTS, turn), seen))
    # The table's centre and radius come from a box along the axes, so graded scores may differ a little.
    np.testing.assert_allclose(turned, MATRICES[kind], atol=0.15)


@pytest.mark.parametrize("kind", ["left of", "behind"])
def test_the_scene_s_own_up_does_not_matter(kind) -> None:
    T_upright_world = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    seen = Viewpoints(np.linalg.inv(T_upright_world) @ VIEWS.T_world_camera, VIEWS.shown)
    other = matrix(kind, Geometry(replace(OBJECTS, T_upright_world=T_upright_world), seen))
    np.testing.assert_allclose(other, MATRICES[kind], atol=1e-9)


@pytest.mark.parametrize("kind", ["left of", "in front of"])
def test_a_camera_held_sideways_sees_the_same(kind) -> None:
    roll = np.eye(4)
    roll[:2, :2] = [[0, -1], [1, 0]]
    np.testing.assert_allclose(
        matrix(kind, Geometry(OBJECTS, Viewpoints(VIEWS.T_world_camera @ roll, VIEWS.shown))), MATRICES[kind]
    )


def boxes_side_by_side():
    return room.boxes_of([((0, 0, 0), (0.2, 0.2, 0.2)), ((1, 0, 0), (1.2, 0.2, 0.2))])


def from_both_sides() -> np.ndarray:
    """A camera at y = -3 that looks along +y, and one at y = 3 that looks back."""
    pose = np.tile(np.eye(4), (2, 1, 1))
    pose[0, :3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    pose[1, :3, :3] = np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]])
    pose[:, :3, 3] = [(0.6, -3, 1), (0.6, 3, 1)]
    return pose


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        ([[True, True], [True, True]], 0.5),  # half of the views see it so
        ([[True, True], [False, False]], 1.0),
        ([[False, False], [True, True]], 0.0),
        ([[True, True], [True, False]], 1.0),  # a view of one of them says nothing while another shows both
        ([[True, False], [False, False]], 1.0),  # no view shows both: from where one of them is seen
        ([[False, False], [False, True]], 0.0),
        ([[True, False], [False, True]], 0.0),  # seen from opposite sides: nobody knows
        ([[False, False], [False, False]], 0.0),
    ],
)
def test_left_is_where_most_views_see_it(shown: list[list[bool]], left: float) -> None:
    geometry = Geometry(boxes_side_by_side(), Viewpoints(from_both_sides(), np.array(shown)))
    assert geometry.holds("left of", np.array([0]), np.array([1]))[0, 0] == pytest.approx(left)


@pytest.mark.parametrize("viewpoints", [None, Viewpoints(np.zeros((0, 4, 4)), np.zeros((0, 2), dtype=bool))])
def test_left_needs_somebody_who_looks(viewpoints: Viewpoints | None) -> None:
    with pytest.raises(S3DError, match="'left of' depends on who looks"):
        Geometry(boxes_side_by_side(), viewpoints).holds("left of", np.array([0]), np.array([1]))


@pytest.mark.parametrize(("gap", "score"), [(0.05, 1.0), (0.5 * 0.47320508, 1.0), (0.47320508, 0.5), (1.0, 0.0)])
def test_near_by_hand(gap: float, score: float) -> None:
    # Two boxes with sides of 0.2 m: diagonals of 0.2 · √3, a reach of 0.3 + 0.5 · 0.2 · √3 = 0.4732 m.
    table = room.boxes_of([((0, 0, 0), (0.2, 0.2, 0.2)), ((0.2 + gap, 0, 0), (0.4 + gap, 0.2, 0.2))])
    assert Geometry(table, None).holds("near", np.array([0]), np.array([1]))[0, 0] == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(("bottom", "rests"), [(0.5, True), (0.53, True), (0.47, True), (0.7, False), (0.2, False)])
def test_what_rests_may_be_a_little_off(bottom: float, rests: bool) -> None:
    table = room.boxes_of([((0, 0, bottom), (0.2, 0.2, bottom + 0.2)), ((-0.3, -0.3, 0.45), (0.5, 0.5, 0.5))])
    assert (Geometry(table, None).holds("on", np.array([0]), np.array([1]))[0, 0] >= 0.5) == rests


def test_what_hides_the_surface_that_it_stands_on_still_stands_on_it() -> None:
    box, top = room.surface((0, 0, 0.5), (0.4, 0.4, 0.9)), room.surface((-0.3, -0.3, 0.5), (0.7, 0.7, 0.5))
    seen = top[~((top[:, :2] > 0.01) & (top[:, :2] < 0.39)).all(axis=1)]
    assert (
        Geometry(room.table_of([box, seen], [(0.5, 0.5, 0.5)] * 2), None).holds("on", np.array([0]), np.array([1]))[0, 0]
        >= 0.5
    )


def test_between_is_symmetric_and_needs_to_be_in_the_middle() -> None:
    places = (0.0, 2.0, 4.0, 5.0)
    table = room.boxes_of([((x, 0, 0), (x + 0.2, 0.2, 0.2)) for x in places])
    one = np.eye(4)
    a, geometry = np.arange(4), Geometry(table, None)
    np.testing.assert_allclose(geometry.between(a, one[0], one[2]), [0, 1, 0, 0])
    np.testing.assert_allclose(geometry.between(a, one[2], one[0]), [0, 1, 0, 0])
    np.testing.assert_allclose(geometry.between(a, one[0] + one[1] + one[3], one[0] + one[1] + one[3]), [0, 1, 1, 0])


def test_far_from_several_is_far_from_all_of_them() -> None:
    table = room.boxes_of([((x, 0, 0), (x + 0.2, 0.2, 0.2)) for x in (0.0, 0.5, 5.0)])
    np.testing.assert_allclose(Geometry(table, None).related("far from", np.array([1]), np.array([1.0, 0, 1.0])), [0])
    np.testing.assert_allclose(Geometry(table, None).related("far from", np.array([1]), np.array([0.0, 0, 1.0])), [1])


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("largest", 0),
        ("smallest", 3),
        ("tallest", 1),
        ("shortest", 0),
        ("longest", 1),
        ("widest", 0),
        ("highest", 3),
        ("lowest", 0),
        ("leftmost", 2),
        ("rightmost", 3),
        ("nearest", 3),
        ("farthest", 1),
    ],
)
def test_superlatives(kind, first: int) -> None:
    boxes = [
        ((0, 0, 0), (1.5, 1, 0.1)),
        ((0.2, 4, 0), (0.5, 4.3, 1.8)),
        ((-2, -2, 0), (-1.8, -1.8, 0.5)),
        ((2, 0, 2), (2.1, 0.1, 2.2)),
    ]
    pose = room.viewpoints().T_world_camera
    seen = Viewpoints(pose, np.ones((3, 4), dtype=bool))
    value = Geometry(room.boxes_of(boxes), seen).ranked(kind, np.arange(4), None)
    assert value.argmax() == first
    assert value.max() == 1


def test_sizes_do_not_depend_on_the_axes() -> None:
    angle = np.deg2rad(30)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    table = room.boxes_of([((0, 0, 0), (2, 0.5, 0.3))])
    for objects in (table, room.moved(table, turn)):
        assert measured("longest", shapes_of(objects), np.array([0]))[0] == pytest.approx(2)
        assert measured("largest", shapes_of(objects), np.array([0]))[0] == pytest.approx(2 * 0.5 + 0.5 * 0.3 + 0.3 * 2)


def test_an_object_without_points_is_its_box() -> None:
    table = replace(boxes_side_by_side(), points=(np.zeros((0, 3)), np.zeros((0, 3))))
    assert shapes_of(table).gap(np.array([0]), 1)[0] == pytest.approx(0.8)
