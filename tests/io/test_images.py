"""Image files at the edges of what there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s3d_splat.io.images import brightness, check_image_body, write_image


def test_images_of_a_few_pixels_are_read(tmp_path: Path) -> None:
    """An eighth of their size, as JPEG files are decoded for a quick look, would be nothing."""
    path = tmp_path / "a.jpg"
    write_image(path, np.full((3, 40, 3), 200, dtype=np.uint8))
    check_image_body(path, "image", where="a.jpg")
    assert abs(brightness(path, where="a.jpg") - 200) <= 2
