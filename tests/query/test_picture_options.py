"""Which pictures of an object are encoded."""

from typing import Any

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.query.picture_options import PictureOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 0}, "--pictures.views 0 encodes nothing"),
        ({"scales": ()}, "--pictures.scales  gives no pictures"),
        ({"scales": (1.2, 0.0)}, "--pictures.scales 1.2 0.0 gives no pictures"),
        ({"scales": (float("nan"),)}, "--pictures.scales nan gives no pictures"),
    ],
)
def test_options_that_give_no_picture_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(S3DError) as error:
        PictureOptions(**options)
    assert message in str(error.value)
