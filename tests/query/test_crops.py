"""Square pictures of an object."""

import numpy as np
import pytest

from s3d_splat.query.crops import CropStyle, crop, crop_box, crops_of
from tests.query.looks import BLUE, RED, WALL, look, squares

FILL = [123, 117, 104]


def test_a_box_is_a_square_about_the_mask() -> None:
    """16 x 8 pixels: an edge of 1.5 * 16 = 24 about the middle (16, 12); partial pixels widen it."""
    mask = squares((3, 8, 8, 24, 16)) == 3
    assert crop_box(mask, 1.5) == (4, 0, 28, 24)
    assert crop_box(mask, 1.0) == (8, 4, 24, 20)
    assert crop_box(mask, 1.01) == (7, 3, 24, 20)
    with pytest.raises(ValueError, match="no box"):
        crop_box(np.zeros((4, 4), dtype=bool), 1.0)


def test_what_lies_outside_is_grey() -> None:
    """Of a mask in the corner; without background, what is not of the object is grey as well."""
    view = look(squares((3, 0, 0, 8, 8), (7, 4, 0, 8, 8)))
    picture = crop(view.image, view.rendered == 3, (-2, -2, 10, 10), True)
    assert picture.shape == (12, 12, 3)
    assert picture[0, 0].tolist() == picture[1, 5].tolist() == FILL
    assert [picture[5, 4].tolist(), picture[5, 8].tolist(), picture[11, 5].tolist()] == [list(RED), list(BLUE), list(WALL)]
    alone = crop(view.image, view.rendered == 3, (-2, -2, 10, 10), False)
    assert [alone[5, 4].tolist(), alone[5, 8].tolist(), alone[11, 5].tolist()] == [list(RED), FILL, FILL]


def test_a_picture_for_each_style() -> None:
    view = look(squares((3, 8, 8, 24, 24)))
    found = crops_of(view.image, view.rendered == 3, (CropStyle(1.0, True), CropStyle(2.0, False)))
    assert [(box, background, picture.shape) for box, background, picture in found] == [
        ((8, 8, 24, 24), True, (16, 16, 3)),
        ((0, 0, 32, 32), False, (32, 32, 3)),
    ]
