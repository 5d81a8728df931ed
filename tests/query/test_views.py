"""Which views show an object best."""

import numpy as np
import pytest

from s3d_splat.query.views import SeenObjects, best_views, look_at_objects, view_scores
from tests.query.looks import IDS, look, squares

# Points at z = 1 of the squares (8..24, 8..24) and (36..52, 36..52): a pixel is 1/64 m, and the axis goes through 32.
POINTS = tuple(
    np.array([((u + 0.5 - 32) / 64, (v + 0.5 - 32) / 64, 1.0) for u in range(low, low + 16) for v in range(low, low + 16)])
    for low in (8, 36)
)
BOTH = squares((3, 8, 8, 24, 24), (7, 36, 36, 52, 52))


def seen(*looks) -> SeenObjects:
    return look_at_objects([lambda own=own: own for own in looks], IDS, POINTS)


def test_what_hides_an_object_and_what_cuts_it_off() -> None:
    """The right half of instance 3 is behind 7 in the second view; the third camera has moved 8 pixels to the right, so that
    its left columns are pixels 0..16 and none is lost; 20 pixels lose 12 of 16 columns."""
    half = squares((3, 8, 8, 24, 24), (7, 16, 8, 24, 24))
    moved = squares((3, 0, 8, 16, 24))
    far = squares((3, 0, 8, 4, 24))
    found = seen(look(BOTH), look(half), look(moved, x=8 / 64), look(far, x=20 / 64))
    assert found.pixels[:, 0].tolist() == [256, 128, 256, 64]
    assert found.visible[:, 0] == pytest.approx([1, 0.5, 1, 0.25])
    assert found.pixels[2:, 1].tolist() == [0, 0]
    assert found.shown[:, 1].tolist() == [True, True, False, False]
    assert found.direction[0, 0] == pytest.approx(-POINTS[0].mean(0) / np.linalg.norm(POINTS[0].mean(0)))


def test_agreement_is_the_iou_with_the_mask_that_covers_most() -> None:
    """8 of 16 columns of instance 3 lie under mask 1, which has 4 more: 128 / (256 + 192 - 128); 7 lies under none."""
    given = squares((1, 4, 8, 16, 24), (2, 22, 8, 24, 24))
    found = seen(look(BOTH, given))
    assert found.agreement[0] == pytest.approx([128 / 320, 0])


def test_a_view_without_masks_agrees_like_the_mean_of_the_others() -> None:
    """Instance 3 agrees by 128 / 320 and by 1 where there are masks, and the view that does not show it has no say."""
    half, whole = squares((1, 4, 8, 16, 24)), squares((1, 8, 8, 24, 24))
    hidden = squares((7, 36, 36, 52, 52))
    found = seen(look(BOTH, half), look(BOTH, whole), look(hidden, whole), look(BOTH))
    assert found.agreement[3, 0] == pytest.approx((128 / 320 + 1) / 2)
    assert seen(look(BOTH)).agreement.tolist() == [[1, 1]]


def test_scores_multiply_what_is_good_about_a_view() -> None:
    """Sizes 32^2 and 8^2 pixels of a 64^2 that would be large enough; half as sharp; half visible; masks agree by 0.8."""
    found = SeenObjects(
        pixels=np.array([[1024, 64], [1024, 35]]),
        visible=np.array([[1.0, 0.5], [1.0, 1.0]]),
        sharpness=np.array([[4.0, 3.0], [1.0, 9.0]]),
        agreement=np.array([[0.8, 1.0], [0.8, 1.0]]),
        direction=np.zeros((2, 2, 3)),
    )
    assert view_scores(found) == pytest.approx(np.array([[0.5 * 0.8, 0.125 * 0.5], [0.5 * 0.5 * 0.8, 0.0]]))


def with_scores(scores: list[float], degrees: list[float]) -> SeenObjects:
    angle = np.deg2rad(degrees)
    count = len(scores)
    ones = np.ones((count, 1))
    direction = np.stack((np.cos(angle), np.sin(angle), 0 * angle), axis=1)[:, None]
    return SeenObjects(np.full((count, 1), 64**2), np.array(scores)[:, None], ones, ones, direction)


def test_the_best_views_come_from_different_sides() -> None:
    """Views 0 and 1 are 5 degrees apart: the better one is taken, the other only when the rest is used up."""
    found = with_scores([0.8, 0.9, 0.5, 0.1], [0, 5, 90, 180])
    assert best_views(found, 2) == [[(1, 0.9), (2, 0.5)]]
    assert best_views(found, 3) == [[(1, 0.9), (0, 0.8), (2, 0.5)]]  # 0.1 is under a fifth of 0.9
    assert best_views(found, 9) == [[(1, 0.9), (0, 0.8), (2, 0.5)]]


def test_an_object_that_no_view_shows_has_none() -> None:
    assert best_views(seen(look(squares((3, 8, 8, 24, 24)))), 4)[1] == []
    empty = look_at_objects([], IDS, POINTS)
    assert empty.pixels.shape == (0, 2)
    assert best_views(empty, 4) == [[], []]
    none = look_at_objects([lambda: look(BOTH)], np.zeros(0, np.int64), ())
    assert none.direction.shape == (1, 0, 3)
