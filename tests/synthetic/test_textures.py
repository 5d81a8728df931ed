"""Patterns are repeatable, crisp, and lie where their description says."""

import numpy as np
import pytest

from s3d_splat.synthetic.textures import _PATTERNS, Texture, albedo, colour

PALETTE = tuple((k / 8, k / 8, k / 8) for k in range(7))


@pytest.mark.parametrize("kind", sorted(_PATTERNS))
def test_every_pattern_uses_colours_of_its_palette_only_and_repeats(kind: str) -> None:
    uv = np.random.default_rng(0).uniform(-0.2, 1.2, (2000, 2)).astype(np.float32)
    texture = Texture(kind, PALETTE, scale=0.2, size=(1.0, 1.0), seed=3)
    colours = albedo(texture, uv)
    assert set(np.unique(colours)) <= {np.float32(k / 8) for k in range(7)}
    np.testing.assert_array_equal(colours, albedo(texture, uv))


def test_a_checker_alternates() -> None:
    uv = np.array([[0.05, 0.05], [0.15, 0.05], [0.15, 0.15], [-0.05, 0.05]])
    np.testing.assert_allclose(albedo(Texture("checker", PALETTE[:2], scale=0.1), uv)[:, 0], [0, 1 / 8, 0, 1 / 8])


def test_dots_are_discs_in_the_middle_of_their_cells() -> None:
    texture = Texture("dots", PALETTE[:2], scale=0.2)
    uv = np.array([[0.1, 0.1], [0.1 + 0.05, 0.1], [0.1 + 0.06, 0.1], [0.0, 0.1]])  # radius 0.2 sqrt(0.075) = 5.5 cm
    np.testing.assert_allclose(albedo(texture, uv)[:, 0], [1 / 8, 1 / 8, 0, 0])


def test_another_seed_gives_another_print() -> None:
    uv = np.random.default_rng(0).uniform(0, 1, (500, 2))
    one, other = (albedo(Texture("poster", PALETTE, seed=seed), uv) for seed in (1, 2))
    assert (one != other).any()


def test_grey_is_the_fixed_point_of_the_duller_paints() -> None:
    assert colour("7f7f7f")[0] == pytest.approx(0.5**2.2, rel=0.01)
    assert colour("ffffff")[0] < 1.0
    assert colour("000000")[0] > 0.0
