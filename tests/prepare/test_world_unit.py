"""Worlds that are not in metres would lose their depth when it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.prepare.world_unit import check_unit
from s3d_splat.types import Frame
from tests.prepare.box_world import HEIGHT, WIDTH, box_camera


def frames(folder: Path, depth_scale: float, *, depth: bool = True) -> list[WorldFrame]:
    """Three images of a wall, 2000 counts away."""
    path = folder / "depth.png"
    Image.fromarray(np.full((HEIGHT, WIDTH), 2000, np.uint16)).save(path)
    made = []
    for index in range(3):
        camera, name = box_camera(index), f"{index}.png"
        file = Frame(f"images/{name}", camera, "train", path, path if depth else None, None, None, None, depth_scale)
        made.append(WorldFrame(name, index, camera, (Source(0, file),)))
    return made


@pytest.mark.parametrize("scale", [1.1e-5, 0.001, 0.03])
def test_depth_that_millimetres_can_tell_passes(tmp_path: Path, scale: float):
    check_unit(frames(tmp_path, scale))


def test_a_world_without_depth_images_may_have_any_unit(tmp_path: Path):
    check_unit(frames(tmp_path, 1.0, depth=False))
    check_unit([])


@pytest.mark.parametrize(("scale", "said", "factor"), [(1.0, "over 2e[+]03", "0.001"), (1e-6, "under 0.002", "1000")])
def test_another_unit_is_refused_with_the_factor(tmp_path: Path, scale: float, said: str, factor: str):
    with pytest.raises(S3DError, match=said) as caught:
        check_unit(frames(tmp_path, scale))
    assert caught.value.fix.endswith(f"by about {factor}")
