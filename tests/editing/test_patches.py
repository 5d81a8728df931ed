"""A hole in a pattern is filled by the pattern, shifted by whole periods."""

import torch

from s3d_splat.editing.patches import grown, patches


def stripes(height: int = 40, width: int = 60, period: int = 12) -> torch.Tensor:
    column = torch.arange(width) % period < period // 2
    return torch.where(column[None, :, None], torch.tensor([0.8, 0.7, 0.6]), torch.tensor([0.2, 0.3, 0.4])).repeat(
        height, 1, 1
    )


def filled(
    picture: torch.Tensor, hole: torch.Tensor, known: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture with its hole filled, and what stayed open."""
    spoilt = torch.where(hole[..., None], 0.0, picture)
    result, left = spoilt.clone(), hole.clone()
    for patch in patches(spoilt, torch.ones_like(hole) if known is None else known, hole, bleed=1):
        row, column = patch.shift
        source = torch.roll(spoilt, (-row, -column), (0, 1)) + patch.colour
        result = torch.where((patch.filled & left)[..., None], source, result)
        left = left & ~patch.filled
    return result, left


def square(height: int = 40, width: int = 60) -> torch.Tensor:
    hole = torch.zeros(height, width, dtype=torch.bool)
    hole[14:26, 20:37] = True
    return hole


def test_a_pattern_goes_on():
    result, left = filled(stripes(), square())
    assert not left.any()
    torch.testing.assert_close(result, stripes(), atol=1e-5, rtol=0)


def test_brightness_is_bent_to_that_of_the_rim():
    ramp = torch.linspace(0, 0.2, 60)[None, :, None]
    result, left = filled(stripes() + ramp, square())
    assert not left.any()
    assert (result - stripes() - ramp).abs().max() < 0.08


def test_a_hole_larger_than_what_is_known_at_one_place_is_filled_in_parts():
    hole = torch.zeros(40, 60, dtype=torch.bool)
    hole[4:36, 20:52] = True
    result, left = filled(stripes(), hole)
    assert not left.any()
    assert (result - stripes()).abs().mean() < 0.02


def test_nothing_known_fills_nothing():
    hole = square()
    assert list(patches(stripes(), torch.zeros_like(hole), hole, 1)) == []
    assert list(patches(stripes(), ~hole, torch.zeros_like(hole), 1)) == []


def test_growing_reaches_so_many_texels_along_rows_and_columns():
    mask = torch.zeros(7, 7, dtype=torch.bool)
    mask[3, 3] = True
    assert grown(mask, 0).sum() == 1
    assert grown(mask, 2).sum() == 25
